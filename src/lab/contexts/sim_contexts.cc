#include "lab/contexts/sim_contexts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "lab/clients/options.h"
#include "lab/contexts/sim_contexts_report.h"
#include "steer/core_set.h"

namespace tw::lab {
namespace {

constexpr std::size_t most_clients = 100'000;
constexpr std::size_t steps_of_a_range = 10;
/// With the costs `own` packets are so much faster that less time shows as much.
constexpr int own_time_divisor = 5;

std::string_view name_of(sim::Direction direction) noexcept {
  return direction == sim::Direction::receive ? "receive" : "transmit";
}

Figures figures_of(const sim::ContextsFigures& played) {
  const auto number = [](std::uint64_t count) { return static_cast<double>(count); };
  return {{"gbps", played.gbps},
          {"cpu_percent", played.cpu_percent},
          {"p50_us", played.p50_us},
          {"p99_us", played.p99_us},
          {"busiest_core", played.busiest_core},
          {"median_core", played.median_core},
          {"mean_core", played.mean_core},
          {"preempted_share", played.preempted_share},
          {"packets_per_deliver", played.packets_per_deliver()},
          {"deliver_calls", number(played.deliver_calls)},
          {"deliver_empty", number(played.deliver_empty)},
          {"open_wait_us", played.open_wait_us},
          {"deliver_wait_us", played.deliver_wait_us},
          {"dropped", number(played.dropped)},
          {"reordered", number(played.disordered)},
          {"migrations", number(played.migrations)}};
}

class SimContextsRounds final : public Rounds {
 public:
  explicit SimContextsRounds(std::vector<ContextsLevel>& levels) : levels_(levels) {}

  Plan plan() override {
    Plan plan{.levels = {}, .simulated = true};
    for (const ContextsLevel& level : levels_) {
      const sim::ContextsLoad& load = level.load;
      const std::string context{tw::name_of(load.context)};
      plan.levels.push_back(
          {.title = fmt::format("{} {} {}, {} clients", level.costs->name, name_of(load.direction),
                                context, load.clients),
           .labels = {{"context", context},
                      {"costs", std::string{level.costs->name}},
                      {"direction", std::string{name_of(load.direction)}},
                      {"clients", std::uint64_t{load.clients}},
                      {"cores", std::uint64_t{load.cores}},
                      {"offered", static_cast<double>(load.clients) * load.rate_bps / 1e9}}});
    }
    return plan;
  }

  Result<Measured> measure(std::size_t level, const Round& round, Run& run) override {
    ContextsLevel& its = levels_[level];
    auto played = sim::run_contexts(its.load, *its.costs, run.settings.seed + round.number);
    Measured measured{.figures = figures_of(played)};
    if (round.counted) its.played.push_back(std::move(played));
    return measured;
  }

 private:
  std::vector<ContextsLevel>& levels_;
};

std::vector<std::string> context_names() {
  std::vector<std::string> names;
  for (const Context context : SimContextsOptions{}.contexts) {
    names.emplace_back(tw::name_of(context));
  }
  return names;
}

std::optional<std::size_t> parse_count(std::string_view text) {
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (count == 0 || count > most_clients) return std::nullopt;
  return count;
}

}  // namespace

std::optional<std::vector<std::size_t>> parse_clients(std::string_view text) {
  std::vector<std::size_t> clients;
  if (const std::size_t dots = text.find(".."); dots != std::string_view::npos) {
    const auto first = parse_count(text.substr(0, dots));
    const auto last = parse_count(text.substr(dots + 2));
    if (!first || !last || *first > *last) return std::nullopt;
    for (std::size_t i = 0; i < steps_of_a_range; ++i) {
      const std::size_t next = *first + (*last - *first) * i / (steps_of_a_range - 1);
      if (clients.empty() || clients.back() != next) clients.push_back(next);
    }
    return clients;
  }
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const auto count = parse_count(text.substr(at, comma - at));
    if (!count) return std::nullopt;
    clients.push_back(*count);
    at = comma + 1;
  }
  std::ranges::sort(clients);
  clients.erase(std::ranges::unique(clients).begin(), clients.end());
  return clients;
}

void SimContextsExperiment::options(OptionSet& set) {
  set.count("--cores", texts_.cores, {1, CoreSet::most}, "Cores of the gateway (18)");
  set.text("--clients", texts_.clients, "Clients: ten numbers of a range, or a list (100..1000)");
  set.text("--rate", texts_.rate,
           "Each client's rate, bits a second; with the costs own 150M unless given (25M)");
  set.choice("--direction", texts_.direction, {"receive", "transmit", "both"},
             "Clients send (receive), download (transmit), or both (both)");
  set.choice("--costs", texts_.costs, {"paper", "own", "both"},
             "Costs of steps: the paper's kernel, this program, or both (both)");
  set.choices("--contexts", texts_.contexts, context_names(),
              fmt::format("Only some of: {}", fmt::join(context_names(), ",")));
  set.number("--time", texts_.time_ms, {1, 10'000},
             "ms of virtual time recorded, after as many that are not; a fifth with own (100)");
}

Result<void> SimContextsExperiment::settle(const OptionSet& set, const Settings& settings) {
  if (settings.quick && !set.given("--time")) texts_.time_ms = 50;
  if (settings.quick && !set.given("--clients")) texts_.clients = "100,500,1000";
  const auto clients = parse_clients(texts_.clients);
  if (!clients) {
    return make_error(Error::Kind::config,
                      fmt::format("--clients: \"{}\" is no number of clients: write 100..1000, or "
                                  "100,500 (1 to {})",
                                  texts_.clients, most_clients));
  }
  const auto rate = parse_rate(texts_.rate);
  if (!rate || *rate < 1e3 || *rate > 1e11) {
    return make_error(
        Error::Kind::config,
        fmt::format("--rate: \"{}\" is no rate: write 25M, or 1.5G (1k to 100G)", texts_.rate));
  }
  options_.clients = *clients;
  options_.cores = texts_.cores;
  options_.rate_bps = *rate;
  if (set.given("--rate")) options_.own_rate_bps = *rate;
  options_.recorded = Duration{static_cast<std::int64_t>(texts_.time_ms * 1e6)};
  std::erase_if(options_.directions, [&](sim::Direction direction) {
    return texts_.direction != "both" && texts_.direction != name_of(direction);
  });
  std::erase_if(options_.costs, [&](const sim::StageCosts& costs) {
    return texts_.costs != "both" && texts_.costs != costs.name;
  });
  if (!texts_.contexts.empty()) {
    std::erase_if(options_.contexts, [&](Context context) {
      return std::ranges::find(texts_.contexts, tw::name_of(context)) == texts_.contexts.end();
    });
  }
  make_levels();
  return {};
}

void SimContextsExperiment::make_levels() {
  levels_.clear();
  for (const sim::StageCosts& costs : options_.costs) {
    const bool is_own = costs.name == "own";
    const Duration time = is_own ? options_.recorded / own_time_divisor : options_.recorded;
    for (const sim::Direction direction : options_.directions) {
      for (const std::size_t clients : options_.clients) {
        for (const Context context : options_.contexts) {
          levels_.push_back(
              {.load = {.context = context,
                        .direction = direction,
                        .cores = options_.cores,
                        .clients = clients,
                        .rate_bps = is_own ? options_.own_rate_bps : options_.rate_bps,
                        .settling = time,
                        .recorded = time},
               .costs = &costs});
        }
      }
    }
  }
}

Result<std::unique_ptr<Rounds>> SimContextsExperiment::prepare(Run& /*run*/) {
  return std::make_unique<SimContextsRounds>(levels_);
}

Findings SimContextsExperiment::report(const Results& results) {
  return {.table = contexts_table(options_, levels_, results),
          .json = contexts_json(options_, levels_, results),
          .row_members = contexts_row_members(levels_)};
}

}  // namespace tw::lab
