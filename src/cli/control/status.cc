// thalweg status: what a running node says of itself, as a table or as JSON.
#include <fmt/core.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "cli/control/control_answer.h"
#include "cli/control/control_path.h"
#include "cli/control/counts_text.h"
#include "node/report/describe_status.h"

namespace tw::cli {
namespace {

using Json = nlohmann::json;

std::string ago_text(std::int64_t unix_seconds) {
  if (unix_seconds == 0) return "never";
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now).count() - unix_seconds;
  return fmt::format("{} s ago", seconds < 0 ? 0 : seconds);
}

void print_drops(std::string_view where, const Json& drops) {
  for (const auto& [reason, count] : drops.items()) {
    fmt::print("    {:<10} {:<16} {:>12}\n", where, reason, count.get<std::uint64_t>());
  }
}

void print_worker(const Json& worker) {
  fmt::print("  worker {:<5}{}\n", worker["name"].get<std::string>(),
             columns_text<lane::DirectionCounters>(worker["from_wire"], true));
  for (const char* name : {"from_wire", "to_wire"}) {
    fmt::print("    {:<10}{}\n", name, columns_text<lane::DirectionCounters>(worker[name], false));
  }
  fmt::print("  drops (segments)\n");
  for (const char* name : {"from_wire", "to_wire"}) print_drops(name, worker[name]["drops"]);
}

double milliseconds(const Json& times, const char* key) { return times[key].get<double>() / 1000; }

// Only what there is something to say of.
void print_stages(const Json& stages) {
  bool headed = false;
  for (const auto& [via, of_via] : stages.items()) {
    for (const auto& [stage, times] : of_via.items()) {
      const auto count = times["count"].get<std::uint64_t>();
      if (count == 0) continue;
      if (!headed) {
        fmt::print("  ms from the SYN, or the accept {:>16} {:>10} {:>10} {:>10}\n", "count", "p50",
                   "p95", "p99");
      }
      headed = true;
      fmt::print("    {:<10} {:<12} {:>20} {:>10.2f} {:>10.2f} {:>10.2f}\n", via, stage, count,
                 milliseconds(times, "p50_us"), milliseconds(times, "p95_us"),
                 milliseconds(times, "p99_us"));
    }
  }
}

// Prints whether the last leg each way was authenticated, and counts of refused legs and clients.
void print_last_legs(const Json& pop) {
  const Json& last = pop["last_leg"];
  const auto word = [](const Json& authenticated) -> std::string_view {
    if (authenticated.is_null()) return "none yet";
    return authenticated.get<bool>() ? "authenticated" : "NOT authenticated";
  };
  std::string refused;
  for (const auto& [fault, count] : last["refused"].items()) {
    if (count != 0) refused += fmt::format(", {} {}", count.get<std::uint64_t>(), fault);
  }
  if (const auto clients = pop["refused_clients"].get<std::uint64_t>(); clients != 0) {
    refused += fmt::format(", {} for clients it may not name", clients);
  }
  const std::string fault =
      last["from_fault"].is_null() ? "" : " (" + last["from_fault"].get<std::string>() + ")";
  fmt::print("    legs: {}; last from it: {}{}, to it: {}{}{}\n", pop["legs"].get<std::string>(),
             word(last["from_authenticated"]), fault, word(last["to_authenticated"]),
             refused.empty() ? "" : "; refused: ", refused.empty() ? refused : refused.substr(2));
}

void print_pop(const Json& pop) {
  fmt::print("  PoP {}{}: {}\n", pop["name"].get<std::string>(),
             pop["usable"].get<bool>() ? "" : " (not answering)",
             counts_text<relay::PopCounters>(pop));
  fmt::print("    warm legs: {}\n", counts_text<relay::LegSourceState>(pop["warm"]));
  print_last_legs(pop);
  const Json& path = pop["path"];
  if (path.is_null()) return;
  fmt::print("    path: {:.1f} Mbps{}, {}\n", path["rate_bps"].get<double>() / 1e6,
             path["limited"].get<bool>() ? " (all that it carries)" : "",
             counts_text<relay::PathState>(path));
}

void print_relay(const Json& relay) {
  fmt::print("relay: {}\n", counts_text<relay::RelaySnapshot>(relay));
  for (const auto& [outcome, count] : relay["outcomes"].items()) {
    if (count != 0) fmt::print("    {:<26} {:>12}\n", outcome, count.get<std::uint64_t>());
  }
  const Json& early = relay["early_syn"];
  fmt::print("  early SYN: {}\n", counts_text<relay::EarlySynCounters>(early));
  for (const Json& device : early["devices"]) {
    fmt::print("    {}: {}\n", device["device"].get<std::string>(),
               counts_text<SynWatchCounters>(device));
  }
  fmt::print("  accept: {}; SYNs: {}\n", relay["accept"].get<std::string>(),
             counts_text<relay::HeldSynCounters>(relay["held_syns"]));
  if (const Json& start = relay["client_start"]; start["enabled"].get<bool>()) {
    fmt::print("  client start: {}{}\n", counts_text<relay::ClientStartCounters>(start),
               start["possible"].get<bool>() ? "" : " (the kernel refuses; see the log)");
  }
  fmt::print("  buffers: {}\n", counts_text<relay::ReceiveBudgetState>(relay["buffers"]));
  print_stages(relay["stages"]);
  const Json& lines = relay["log"];
  if (lines["left_out"] != 0 || lines["lost"] != 0) {
    fmt::print("  connection log: {}\n", counts_text<relay::ConnectionLogCounters>(lines));
  }
  for (const Json& pop : relay["pops"]) print_pop(pop);
}

void print_cipher(const Json& status) {
  const std::string chosen = status["cipher_engine"].get<std::string>();
  fmt::print("  cipher: {}, {} ns a packet", chosen,
             status["cipher_ns_per_packet"].get<std::int64_t>());
  for (const Json& engine : status["ciphers"]) {
    const std::string name = engine["name"].get<std::string>();
    if (name == chosen) continue;
    if (engine["refused"].is_null()) {
      fmt::print("; {}: {} ns", name, engine["ns_per_packet"].get<std::int64_t>());
    } else {
      fmt::print("; {}: {}", name, engine["refused"].get<std::string>());
    }
  }
  fmt::print("\n");
}

void print_tuning(const Json& tuning) {
  std::string on, off;
  for (const auto& [name, is_on] : tuning["offloads"].items()) {
    (is_on.get<bool>() ? on : off) += ' ' + name;
  }
  fmt::print("  offloads:{}{}{}\n", on.empty() ? " none" : on, off.empty() ? "" : "; not:", off);
  const auto limit = tuning["queue_limit_us"].get<std::int64_t>();
  const auto mode = tuning["governor"].get<std::string>();
  const std::string spin =
      mode == "adaptive" ? fmt::format(", {} us", tuning["spin_us"].get<std::int64_t>()) : "";
  if (limit == 0) {
    fmt::print("  queues: no limit in time; governor: {}{}\n", mode, spin);
  } else {
    fmt::print("  queues: {} us{}; governor: {}{}\n", limit,
               tuning["tun_queue_timed"].get<bool>() ? "" : ", but the TUN's in packets", mode,
               spin);
  }
}

/// Prints what is not as it should be; nothing else.
void print_confinement(const Json& confinement) {
  for (const Json& lacking : confinement["lacks"]) {
    fmt::print("  not confined: this kernel lacks {}\n", lacking.get<std::string>());
  }
  if (const auto refused = confinement["refused_calls"].get<std::uint64_t>(); refused != 0) {
    fmt::print("  {} system calls were refused, which a node never makes\n", refused);
  }
}

void print_metrics(const Json& requests) {
  std::string refused;
  for (const auto& [outcome, count] : requests.items()) {
    if (outcome != "answered" && count != 0) {
      refused += fmt::format(", {} {}", count.get<std::uint64_t>(), outcome);
    }
  }
  fmt::print("metrics: {} requests answered{}\n", requests["answered"].get<std::uint64_t>(),
             refused);
}

void print_table(const Json& status) {
  fmt::print("{} (thalweg {}), port {}, up {} s\n", status["interface"].get<std::string>(),
             status["version"].get<std::string>(), status["listen_port"].get<int>(),
             status["uptime_s"].get<std::int64_t>());
  print_cipher(status);
  print_tuning(status["tuning"]);
  if (!status["reload"]["succeeded"].get<bool>()) {
    fmt::print("  the last reload was refused: 'thalweg reload --dry-run' says why\n");
  }
  if (const auto lost = status["lost_log_lines"].get<std::uint64_t>(); lost != 0) {
    fmt::print("  log: {} lines lost\n", lost);
  }
  print_confinement(status["confinement"]);
  for (const Json& worker : status["workers"]) print_worker(worker);
  print_drops("handshake", status["handshakes"]["drops"]);
  print_drops("kernel", status["kernel_drops"]);
  Json refused = Json::object();
  for (const auto& [counter, packets] : status["firewall"].items()) {
    if (packets != 0) refused[counter] = packets;
  }
  print_drops("firewall", refused);
  for (const Json& peer : status["peers"]) {
    fmt::print("peer {}: {}, handshake {}, {} in, {} out\n", peer["name"].get<std::string>(),
               peer["endpoint"].is_null() ? "no endpoint" : peer["endpoint"].get<std::string>(),
               ago_text(peer["last_handshake_s"]), bytes_text(peer["received_bytes"]),
               bytes_text(peer["sent_bytes"]));
  }
  if (!status["metrics_requests"].is_null()) print_metrics(status["metrics_requests"]);
  if (!status["relay"].is_null()) print_relay(status["relay"]);
}

int show(const ControlTarget& target, bool json) {
  const auto status = ask("status", target, {{"command", "status"}});
  if (!status) return exit_failed;
  if (json) {
    fmt::print("{}\n", status->dump(-1, ' ', false, Json::error_handler_t::replace));
    return 0;
  }
  print_table(*status);
  return 0;
}

}  // namespace

void add_status(CLI::App& app, int& exit_code) {
  struct Options {
    ControlTarget target;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("status", "Show what a running node counts");
  add_control_target(*command, options->target);
  command->add_flag("--json", options->json, "Everything, as one JSON object");
  command->callback([options, &exit_code] { exit_code = show(options->target, options->json); });
}

}  // namespace tw::cli
