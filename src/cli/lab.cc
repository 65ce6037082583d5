// thalweg lab: what measures, beside what it measures.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "base/file/new_file.h"
#include "cli/command.h"
#include "cli/report_output.h"
#include "lab/clients/clients.h"
#include "lab/clients/keys.h"
#include "lab/report/progress.h"

namespace tw::cli {
namespace {

/// Options as they are typed.
struct ClientsFlags {
  lab::ClientsOptions options;
  std::string target, sink, addresses, spoof_from, target_key, flood = "none", rate;
  std::string configuration;  ///< file to write the target's to
  double duration_s = 10, warmup_s = 1, handshake_timeout_s = 15, bystander_ms = 5;
  std::uint64_t ahead_mb = 2048;
  bool json = false, per_peer = false;
};

int fail(const std::string& text) {
  std::fputs(fmt::format("thalweg lab clients: {}\n", text).c_str(), stderr);
  return exit_failed;
}

int misused(const std::string& text) {
  fail(text);
  return exit_usage;
}

Duration seconds(double value) { return Duration{static_cast<Duration::rep>(value * 1e9)}; }

Result<void> read_prefix(const std::string& option, const std::string& text, Prefix& prefix) {
  if (text.empty()) return {};
  const auto read = Prefix::parse(text);
  if (!read) return make_error(Error::Kind::config, option + " " + text + ": not a prefix");
  prefix = *read;
  return {};
}

/// What CLI11 has left as text.
Result<void> read_options(ClientsFlags& flags) {
  lab::ClientsOptions& options = flags.options;
  const Result<Endpoint> target = lab::resolve(flags.target);
  if (!target) return in_context("--target", target.error());
  options.target = *target;
  if (!flags.sink.empty()) {
    options.sink = Endpoint::parse(flags.sink);
    if (!options.sink)
      return make_error(Error::Kind::config, "--sink " + flags.sink + ": not an ADDR:PORT");
  }
  if (!flags.target_key.empty()) {
    const auto key = crypto::key_from_base64(flags.target_key);
    if (!key) return make_error(Error::Kind::config, "--target-key: not a key in base64");
    options.target_key = crypto::PublicKey{*key};
  }
  if (!flags.rate.empty()) {
    const auto rate = lab::parse_rate(flags.rate);
    if (!rate) return make_error(Error::Kind::config, "--rate " + flags.rate + ": not a rate");
    options.rate_bps = *rate;
  }
  for (std::size_t i = 0; i < lab::flood_names.size(); ++i) {
    if (lab::flood_names[i] == flags.flood) options.flood = static_cast<lab::FloodKind>(i);
  }
  options.duration = seconds(flags.duration_s);
  options.warmup = seconds(flags.warmup_s);
  options.handshake_timeout = seconds(flags.handshake_timeout_s);
  options.bystander_interval = seconds(flags.bystander_ms / 1e3);
  options.ahead_bytes = flags.ahead_mb << 20U;
  Result<void> read = read_prefix("--addresses", flags.addresses, options.addresses);
  if (read) read = read_prefix("--spoof-from", flags.spoof_from, options.spoof_from);
  return read;
}

int write_configuration(const ClientsFlags& flags) {
  if (Result<void> sound = lab::check_identity(flags.options); !sound) {
    return misused(sound.error().text());
  }
  const std::string text = lab::target_configuration(flags.options);
  if (flags.configuration == "-") return std::fputs(text.c_str(), stdout) < 0 ? exit_failed : 0;
  // It holds private keys.
  const Result<void> written = replace_file(flags.configuration, text);
  return written ? 0 : fail(written.error().text());
}

int present(const ClientsFlags& flags, lab::ClientsReport& report) {
  report.version = TW_VERSION;
  report.command = own_command();
  const std::string text =
      flags.json ? lab::to_json(report, flags.per_peer) + "\n" : lab::to_table(report);
  if (const auto done = print_report(text); !done) return fail(done.error().text());
  return report.interrupted ? exit_interrupted : 0;
}

Result<lab::ClientsReport> measure(const lab::ClientsOptions& options, lab::Interrupt& interrupt) {
  lab::Progress progress;
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  return lab::run_clients(options, interrupt, [&](const std::string& what) {
    if (terminal) progress.show(what);
  });
}

int run(ClientsFlags& flags) {
  if (Result<void> read = read_options(flags); !read) return misused(read.error().text());
  if (!flags.configuration.empty()) return write_configuration(flags);
  if (Result<void> sound = lab::check(flags.options); !sound) return misused(sound.error().text());
  auto interrupt = lab::Interrupt::watch();
  if (!interrupt) return fail(interrupt.error().text());
  try {
    auto report = measure(flags.options, *interrupt);
    if (report) return present(flags, *report);
    if (!interrupt->fired()) return fail(report.error().text());
  } catch (const std::exception& surprise) {
    return fail(surprise.what());
  }
  std::fputs("thalweg lab clients: interrupted before there was anything to report\n", stderr);
  return exit_interrupted;
}

void add_load_options(CLI::App& command, ClientsFlags& flags) {
  lab::ClientsOptions& options = flags.options;
  command
      .add_option("--peers", options.peers, "Sessions, each with keys and address of its own (50)")
      ->check(CLI::Range(0U, lab::ClientsOptions::most_peers));
  command.add_option(
      "--rate", flags.rate,
      "Bits a second of inner packets, all peers together: 100M, 1.5G; 0: as fast as "
      "possible (100M)");
  command.add_option("--burst", options.burst, "Packets that leave together, as one train (1)")
      ->check(CLI::Range(1U, lab::ClientsOptions::most_burst));
  command.add_flag("--interleave", options.interleave,
                   "They are lone packets of different peers instead");
  command.add_option("--size", options.size, "Bytes of an inner packet, headers included (1420)")
      ->check(CLI::Range(lab::ClientsOptions::least_size, lab::ClientsOptions::most_size));
  command
      .add_option("--sockets", options.sockets,
                  "Source ports that the peers share (one each, at most 256)")
      ->check(CLI::Range(1U, 10'000U));
  command.add_flag("--sealed-ahead", options.sealed_ahead,
                   "Seal all packets before the run; each is kept, since a counter is used once");
  command.add_option("--ahead-memory", flags.ahead_mb, "MB that this may take (2048)")
      ->check(CLI::Range(1U, 1'000'000U));
  command.add_option("--sink", flags.sink,
                     "ADDR:PORT behind the tunnel to send to; PORT + 1 is the bystander's echo");
  command.add_option("--sink-netns", options.sink_netns,
                     "Network namespace that has this address (ours)");
  command.add_option("--duration", flags.duration_s, "Seconds that are measured (10)")
      ->check(CLI::Range(0.1, 86'400.0));
  command.add_option("--warmup", flags.warmup_s, "Seconds before, which are not (1)")
      ->check(CLI::Range(0.0, 3600.0));
}

void add_other_options(CLI::App& command, ClientsFlags& flags) {
  lab::ClientsOptions& options = flags.options;
  command.add_flag("--handshakes-only", options.handshakes_only,
                   "No data: handshakes, as many as the target completes");
  command.add_option("--outstanding", options.outstanding, "Handshakes under way at a time (64)")
      ->check(CLI::Range(1U, 100'000U));
  command
      .add_option("--handshake-timeout", flags.handshake_timeout_s,
                  "Seconds for the peers' first handshakes (15)")
      ->check(CLI::Range(0.1, 3600.0));
  command.add_flag("--bystander", options.bystander,
                   "One more peer, whose small packets are echoed and timed");
  command.add_option("--bystander-interval", flags.bystander_ms, "ms between them (5)")
      ->check(CLI::Range(0.1, 10'000.0));
  command.add_option("--flood", flags.flood, "An attack beside: bad-mac1, spoofed, random-index")
      ->check(CLI::IsMember({"bad-mac1", "spoofed", "random-index"}));
  command.add_option("--flood-rate", options.flood_pps, "Its datagrams a second (100000)")
      ->check(CLI::Range(1.0, 1e8));
  command.add_option("--spoof-from", flags.spoof_from, "Prefix of its sources (198.18.0.0/15)");
  command.add_option("--addresses", flags.addresses,
                     "Prefix of the peers' inner addresses (10.64.0.0/10)");
  command.add_option("--seed", options.seed, "Of all keys: anybody can know them (1)");
  command.add_option("--target-key", flags.target_key,
                     "The target's public key, if it is not that of --print-config");
  command.add_option("--print-config", flags.configuration,
                     "Write what `wg setconf` gives the target to this file (-: stdout), and end");
  command.add_flag("--json", flags.json, "JSON on stdout, nothing else");
  command.add_flag("--per-peer", flags.per_peer, "With --json: an entry a peer");
}

}  // namespace

void add_lab(CLI::App& app, int& exit_code) {
  CLI::App* lab = app.add_subcommand(
      "lab", "Instruments: load on a WireGuard device, downloads over a long way");
  lab->require_subcommand(1);
  auto flags = std::make_shared<ClientsFlags>();
  CLI::App* command = lab->add_subcommand(
      "clients", "Many WireGuard clients at once: load any endpoint and count what comes through");
  command->add_option("--target", flags->target, "ADDR:PORT of the device under load")->required();
  add_load_options(*command, *flags);
  add_other_options(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = run(*flags); });
  add_lab_wan(*lab, exit_code);
}

}  // namespace tw::cli
