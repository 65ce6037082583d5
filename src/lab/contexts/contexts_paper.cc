#include "lab/contexts/contexts_paper.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

namespace tw::lab {
namespace {

using sim::Direction;

struct PaperFigure {
  Context context;
  Direction direction;
  std::size_t clients;
  std::string_view name;
  double value;
};

/// Figures 6, 8 and 9, sections 1, 3.3 and 5.2. The latencies are those of "upload" and, of
/// "download", of 1,000 clients.
constexpr PaperFigure paper[] = {
    {Context::softirq, Direction::receive, 500, "gbps", 11.7},
    {Context::softirq, Direction::receive, 1000, "gbps", 4.5},
    {Context::thread, Direction::receive, 1000, "gbps", 14.4},
    {Context::workqueue, Direction::receive, 1000, "gbps", 18},
    {Context::softirq, Direction::transmit, 1000, "gbps", 21.5},
    {Context::workqueue, Direction::transmit, 1000, "gbps", 21.5},
    {Context::thread, Direction::transmit, 1000, "gbps", 20.2},
    {Context::softirq, Direction::receive, 1000, "p99_us", 13'700},
    {Context::thread, Direction::receive, 1000, "p99_us", 5'600},
    {Context::thread_pinned, Direction::receive, 1000, "p99_us", 4'800},
    {Context::workqueue, Direction::receive, 1000, "p99_us", 7'300},
    {Context::softirq, Direction::transmit, 1000, "p99_us", 2'800},
    {Context::thread, Direction::transmit, 1000, "p99_us", 2'700},
    {Context::workqueue, Direction::transmit, 1000, "p99_us", 2'700},
    {Context::thread_pinned, Direction::transmit, 1000, "p99_us", 2'000},
    {Context::softirq, Direction::receive, 1000, "busiest_core", 0.94},
    {Context::softirq, Direction::receive, 1000, "median_core", 0.2},
    {Context::softirq, Direction::receive, 1000, "preempted_share", 0.08},
};

using Figure = std::function<double(const sim::ContextsFigures&)>;

double gbps_of(const sim::ContextsFigures& of) { return of.gbps; }
double p99_of(const sim::ContextsFigures& of) { return of.p99_us / 1e3; }
double cpu_of(const sim::ContextsFigures& of) { return of.cpu_percent / std::max(of.gbps, 1e-9); }

/// Packets that a deliver call had on the busiest core, or on the one in the middle.
double busiest_call_of(const sim::ContextsFigures& of, bool busiest) {
  std::vector<std::pair<double, double>> cores;
  for (const sim::DeliverOnCore& core : of.cores) {
    cores.emplace_back(
        core.busy,
        core.calls == 0 ? 0 : static_cast<double>(core.packets) / static_cast<double>(core.calls));
  }
  std::ranges::sort(cores);
  return (busiest ? cores.back() : cores[cores.size() / 2]).second;
}

/// Means over the seeds of what has been played with one set of costs.
class Means {
 public:
  Means(const std::vector<ContextsLevel>& levels, std::string_view costs)
      : levels_(levels), costs_(costs) {
    for (const ContextsLevel& level : levels) {
      if (level.costs->name == costs) most_ = std::max(most_, level.load.clients);
    }
  }
  std::size_t most_clients() const noexcept { return most_; }
  std::optional<double> of(Context context, Direction direction, std::size_t clients,
                           const Figure& figure) const {
    for (const ContextsLevel& level : levels_) {
      const sim::ContextsLoad& load = level.load;
      if (level.costs->name != costs_ || load.context != context || load.clients != clients ||
          load.direction != direction || level.played.empty()) {
        continue;
      }
      double sum = 0;
      for (const sim::ContextsFigures& one : level.played) sum += figure(one);
      return sum / static_cast<double>(level.played.size());
    }
    return std::nullopt;
  }
  /// Values of these contexts with the most clients; empty unless all have been played.
  std::vector<double> all(std::initializer_list<Context> contexts, Direction direction,
                          const Figure& figure) const {
    std::vector<double> values;
    for (const Context context : contexts) {
      const auto value = of(context, direction, most_, figure);
      if (!value) return {};
      values.push_back(*value);
    }
    return values;
  }

 private:
  const std::vector<ContextsLevel>& levels_;
  const std::string_view costs_;
  std::size_t most_ = 0;
};

constexpr std::initializer_list<Context> four{Context::softirq, Context::thread,
                                              Context::thread_pinned, Context::workqueue};

std::string listed(const std::vector<double>& values) {
  return fmt::format("{:.1f}, {:.1f}, {:.1f}, {:.1f}", values[0], values[1], values[2], values[3]);
}

void add_receive(const Means& means, std::vector<Shape>& shapes) {
  const auto gbps = means.all(four, Direction::receive, gbps_of);
  if (!gbps.empty()) {
    const double threads = gbps[1] / gbps[2];
    shapes.push_back({"receive, Gbps: softirq < thread ~ thread-pinned (5 %) < workqueue",
                      listed(gbps),
                      gbps[0] < std::min(gbps[1], gbps[2]) && threads > 0.95 && threads < 1.05 &&
                          std::max(gbps[1], gbps[2]) < gbps[3]});
  }
  const auto p99 =
      means.all({Context::thread_pinned, Context::thread, Context::workqueue, Context::softirq},
                Direction::receive, p99_of);
  if (!p99.empty()) {
    shapes.push_back({"receive, p99 in ms: thread-pinned < thread < workqueue < softirq",
                      listed(p99), std::ranges::is_sorted(p99)});
  }
  const auto cpu = means.all(four, Direction::receive, cpu_of);
  if (!cpu.empty()) {
    shapes.push_back(
        {"receive, % of a CPU for a Gbps: workqueue lowest of the four (in the order "
         "softirq, thread, thread-pinned, workqueue)",
         listed(cpu), std::ranges::min(cpu) == cpu[3]});
  }
}

void add_collapse(const std::vector<ContextsLevel>& levels, const Means& means,
                  std::vector<Shape>& shapes) {
  std::size_t peak_clients = 0;
  double peak = 0, last = 0;
  for (const ContextsLevel& level : levels) {
    if (level.costs->name != "paper") continue;
    const auto gbps = means.of(Context::softirq, Direction::receive, level.load.clients, gbps_of);
    if (!gbps) continue;
    if (*gbps > peak) {
      peak = *gbps;
      peak_clients = level.load.clients;
    }
    if (level.load.clients == means.most_clients()) last = *gbps;
  }
  if (peak == 0 || last == 0) return;
  shapes.push_back(
      {"receive: softirq has its peak near 500 clients (400 to 600), and loses more than half of "
       "it",
       fmt::format("{:.1f} Gbps with {} clients, {:.1f} with {}", peak, peak_clients, last,
                   means.most_clients()),
       peak_clients >= 400 && peak_clients <= 600 && last < peak / 2});
}

void add_concentration(const Means& means, std::vector<Shape>& shapes) {
  const auto value = [&](const Figure& figure) {
    return means.of(Context::softirq, Direction::receive, means.most_clients(), figure);
  };
  const auto busiest = value([](const auto& of) { return of.busiest_core; });
  const auto median = value([](const auto& of) { return of.median_core; });
  const auto hot = value([](const auto& of) { return busiest_call_of(of, true); });
  const auto usual = value([](const auto& of) { return busiest_call_of(of, false); });
  if (!busiest || !median || !hot || !usual) return;
  shapes.push_back(
      {"receive: in softirq the busiest core has 3 times the median's load, and more "
       "packets a deliver call",
       fmt::format("{:.2f} and {:.2f} busy, {:.2f} and {:.2f} packets", *busiest, *median, *hot,
                   *usual),
       *busiest >= 3 * *median && *hot > *usual});
}

void add_transmit(const Means& means, std::vector<Shape>& shapes) {
  const auto gbps = means.all(four, Direction::transmit, gbps_of);
  if (gbps.empty()) return;
  const double of_each_other = gbps[0] / gbps[3];
  shapes.push_back(
      {"transmit, Gbps: softirq ~ workqueue (5 %) >= threads (in the order softirq, "
       "thread, thread-pinned, workqueue)",
       listed(gbps),
       of_each_other > 0.95 && of_each_other < 1.05 &&
           std::max(gbps[1], gbps[2]) <= std::max(gbps[0], gbps[3])});
}

void add_affine(const Means& means, std::string_view costs, std::vector<Shape>& shapes) {
  for (const Direction direction : {Direction::receive, Direction::transmit}) {
    const auto others = means.all(four, direction, gbps_of);
    const auto affine = means.of(Context::affine, direction, means.most_clients(), gbps_of);
    if (others.empty() || !affine) continue;
    const double best = std::ranges::max(others);
    shapes.push_back({fmt::format("{}, costs {}: affine above all",
                                  direction == Direction::receive ? "receive" : "transmit", costs),
                      fmt::format("{:.1f} Gbps, the best other {:.1f}", *affine, best),
                      *affine > best});
  }
}

}  // namespace

std::vector<std::pair<std::string_view, double>> paper_figures(const ContextsLevel& level) {
  const sim::ContextsLoad& load = level.load;
  std::vector<std::pair<std::string_view, double>> figures;
  if (level.costs->name != "paper" || load.cores != 18 || load.rate_bps != 25e6) return figures;
  for (const PaperFigure& figure : paper) {
    if (figure.context == load.context && figure.direction == load.direction &&
        figure.clients == load.clients) {
      figures.emplace_back(figure.name, figure.value);
    }
  }
  return figures;
}

std::vector<Shape> shapes_of(const std::vector<ContextsLevel>& levels) {
  std::vector<Shape> shapes;
  const Means as_paper{levels, "paper"};
  const Means own{levels, "own"};
  add_receive(as_paper, shapes);
  add_collapse(levels, as_paper, shapes);
  add_concentration(as_paper, shapes);
  add_transmit(as_paper, shapes);
  add_affine(as_paper, "paper", shapes);
  add_affine(own, "own", shapes);
  return shapes;
}

}  // namespace tw::lab
