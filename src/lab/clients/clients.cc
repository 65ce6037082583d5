#include "lab/clients/clients.h"

#include <cstdio>
#include <utility>

#include "base/file/new_file.h"
#include "lab/clients/keys.h"
#include "lab/clients/load_run.h"

namespace tw::lab {
namespace {

/// Time for the handshakes, beside what the options say.
constexpr Duration usual_start = 1s;

Duration seconds(double value) { return Duration{static_cast<Duration::rep>(value * 1e9)}; }

Result<void> read_prefix(const std::string& option, const std::string& text, Prefix& prefix) {
  if (text.empty()) return {};
  const auto read = Prefix::parse(text);
  if (!read) return make_error(Error::Kind::config, option + " " + text + ": not a prefix");
  prefix = *read;
  return {};
}

void add_latency(Figures& figures, const std::string& name, const LatencySummary& latency) {
  figures.emplace_back(name + "_p50_us", latency.p50_us);
  figures.emplace_back(name + "_p99_us", latency.p99_us);
  figures.emplace_back(name + "_p99_9_us", latency.p999_us);
  figures.emplace_back(name + "_max_us", latency.max_us);
}

Figures figures_of(const ClientsReport& report) {
  Figures figures;
  if (report.options.peers > 0) {
    figures.emplace_back("handshakes_per_s", report.handshakes.per_second());
  }
  if (report.load) {
    figures.emplace_back("offered_bps", report.offered_bps());
    figures.emplace_back("delivered_bps", report.delivered_bps());
    figures.emplace_back("loss_percent", report.load->loss() * 100);
  }
  if (report.bystander) add_latency(figures, "bystander_rtt", report.bystander->round_trip);
  return figures;
}

/// The generator opens and closes its own sockets within a measurement: nothing else is made.
class ClientsRounds : public Rounds {
 public:
  ClientsRounds(const ClientsOptions& options, std::optional<ClientsReport>& report)
      : options_(options), report_(report) {}

  Plan plan() override {
    Level level{.title = options_.target.text(),
                .labels = {{"target", options_.target.text()},
                           {"peers", std::uint64_t{options_.peers}},
                           {"size", std::uint64_t{options_.size}}},
                .expected = usual_start + options_.warmup + options_.duration};
    return {.levels = {std::move(level)}};
  }

  Result<Measured> measure(std::size_t /*level*/, const Round& /*round*/, Run& run) override {
    auto report = run_clients(options_, run.interrupt,
                              [&](const std::string& what) { run.progress.hint(what); });
    if (!report) return std::unexpected(report.error());
    Measured measured{.figures = figures_of(*report)};
    report_ = std::move(*report);
    return measured;
  }

 private:
  const ClientsOptions& options_;
  std::optional<ClientsReport>& report_;
};

}  // namespace

Repetition ClientsExperiment::repetition() const {
  return {.runs = 1,
          .warmups = 0,
          .repeats = false,
          .seed_help = "Of all keys: anybody can know them (1)"};
}

void ClientsExperiment::options(OptionSet& set) {
  set.text("--target", texts_.target, "ADDR:PORT of the device under load");
  set.require("--target");
  load_options(set);
  other_options(set);
}

void ClientsExperiment::load_options(OptionSet& set) {
  set.count("--peers", options_.peers, {0, ClientsOptions::most_peers},
            "Sessions, each with keys and address of its own (50)");
  set.text("--rate", texts_.rate,
           "Bits a second of inner packets, all peers together: 100M, 1.5G; 0: as fast as possible "
           "(100M)");
  set.count("--burst", options_.burst, {1, ClientsOptions::most_burst},
            "Packets that leave together, as one train (1)");
  set.flag("--interleave", options_.interleave, "They are lone packets of different peers instead");
  set.count("--size", options_.size, {ClientsOptions::least_size, ClientsOptions::most_size},
            "Bytes of an inner packet, headers included (1420)");
  set.count("--sockets", options_.sockets, {1, 10'000},
            "Source ports that the peers share (one each, at most 256)");
  set.flag("--sealed-ahead", options_.sealed_ahead,
           "Seal all packets before the run; each is kept, since a counter is used once");
  set.count("--ahead-memory", texts_.ahead_mb, {1, 1'000'000}, "MB that this may take (2048)");
  set.text("--sink", texts_.sink,
           "ADDR:PORT behind the tunnel to send to; PORT + 1 is the bystander's echo");
  set.text("--sink-netns", options_.sink_netns, "Network namespace that has this address (ours)");
  set.number("--duration", texts_.duration_s, {0.1, 86'400}, "Seconds that are measured (10)");
  set.number("--warmup", texts_.warmup_s, {0, 3600}, "Seconds before, which are not (1)");
}

void ClientsExperiment::other_options(OptionSet& set) {
  set.flag("--handshakes-only", options_.handshakes_only,
           "No data: handshakes, as many as the target completes");
  set.count("--outstanding", options_.outstanding, {1, 100'000},
            "Handshakes under way at a time (64)");
  set.number("--handshake-timeout", texts_.handshake_timeout_s, {0.1, 3600},
             "Seconds for the peers' first handshakes (15)");
  set.flag("--bystander", options_.bystander,
           "One more peer, whose small packets are echoed and timed");
  set.number("--bystander-interval", texts_.bystander_ms, {0.1, 10'000}, "ms between them (5)");
  set.choice("--flood", texts_.flood, {"bad-mac1", "spoofed", "random-index"},
             "An attack beside: bad-mac1, spoofed, random-index");
  set.number("--flood-rate", options_.flood_pps, {1, 1e8}, "Its datagrams a second (100000)");
  set.text("--spoof-from", texts_.spoof_from, "Prefix of its sources (198.18.0.0/15)");
  set.text("--addresses", texts_.addresses, "Prefix of the peers' inner addresses (10.64.0.0/10)");
  set.text("--target-key", texts_.target_key,
           "The target's public key, if it is not that of --print-config");
  set.text("--print-config", texts_.configuration,
           "Write what `wg setconf` gives the target to this file (-: stdout), and end");
  set.flag("--per-peer", per_peer_, "With --json: an entry a peer");
}

Result<void> ClientsExperiment::settle(const OptionSet& /*set*/, const Settings& settings) {
  options_.seed = settings.seed;
  if (Result<void> read = settle_texts(); !read) return read;
  return texts_.configuration.empty() ? check(options_) : check_identity(options_);
}

Result<void> ClientsExperiment::settle_texts() {
  const Result<Endpoint> target = resolve(texts_.target);
  if (!target) return in_context("--target", target.error());
  options_.target = *target;
  if (!texts_.sink.empty()) {
    options_.sink = Endpoint::parse(texts_.sink);
    if (!options_.sink)
      return make_error(Error::Kind::config, "--sink " + texts_.sink + ": not an ADDR:PORT");
  }
  if (!texts_.target_key.empty()) {
    const auto key = crypto::key_from_base64(texts_.target_key);
    if (!key) return make_error(Error::Kind::config, "--target-key: not a key in base64");
    options_.target_key = crypto::PublicKey{*key};
  }
  if (!texts_.rate.empty()) {
    const auto rate = parse_rate(texts_.rate);
    if (!rate) return make_error(Error::Kind::config, "--rate " + texts_.rate + ": not a rate");
    options_.rate_bps = *rate;
  }
  for (std::size_t i = 0; i < flood_names.size(); ++i) {
    if (flood_names[i] == texts_.flood) options_.flood = static_cast<FloodKind>(i);
  }
  options_.duration = seconds(texts_.duration_s);
  options_.warmup = seconds(texts_.warmup_s);
  options_.handshake_timeout = seconds(texts_.handshake_timeout_s);
  options_.bystander_interval = seconds(texts_.bystander_ms / 1e3);
  options_.ahead_bytes = std::uint64_t{texts_.ahead_mb} << 20U;
  Result<void> read = read_prefix("--addresses", texts_.addresses, options_.addresses);
  if (read) read = read_prefix("--spoof-from", texts_.spoof_from, options_.spoof_from);
  return read;
}

Result<bool> ClientsExperiment::instead() {
  if (texts_.configuration.empty()) return false;
  const std::string text = target_configuration(options_);
  if (texts_.configuration == "-") {
    if (std::fputs(text.c_str(), stdout) < 0) return system_error("write the configuration");
    return true;
  }
  // It holds private keys.
  if (Result<void> written = replace_file(texts_.configuration, text); !written) {
    return std::unexpected(written.error());
  }
  return true;
}

Result<std::unique_ptr<Rounds>> ClientsExperiment::prepare(Run& /*run*/) {
  return std::make_unique<ClientsRounds>(options_, report_);
}

Findings ClientsExperiment::report(const Results& results) {
  report_->interrupted = results.interrupted;
  return {.table = to_table(*report_), .json = to_json(*report_, per_peer_)};
}

}  // namespace tw::lab
