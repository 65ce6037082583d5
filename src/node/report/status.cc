#include "node/report/status.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace tw::node {
namespace {

using Json = nlohmann::ordered_json;

Json drops_json(const std::array<std::uint64_t, drop_count>& drops) {
  Json json = Json::object();
  for (std::size_t reason = 0; reason < drop_count; ++reason) {
    if (drops[reason] != 0) json[std::string{drop_names[reason]}] = drops[reason];
  }
  return json;
}

Json scrapes_json(const std::optional<HttpCounts>& scrapes) {
  if (!scrapes) return {};
  Json json = Json::object();
  for (std::size_t outcome = 0; outcome < http_outcome_count; ++outcome) {
    json[std::string{http_outcome_names[outcome]}] = (*scrapes)[outcome];
  }
  return json;
}

std::string_view mode_name(GovernorSettings::Mode mode) noexcept {
  switch (mode) {
    case GovernorSettings::Mode::interrupt:
      return "interrupt";
    case GovernorSettings::Mode::adaptive:
      return "adaptive";
    case GovernorSettings::Mode::busy:
      return "busy";
  }
  return {};
}

Json tuning_json(const TuningInEffect& tuning) {
  using std::chrono::duration_cast;
  const DeviceOffloads& offloads = tuning.offloads;
  return {{"governor", mode_name(tuning.governor.mode)},
          {"spin_us", duration_cast<std::chrono::microseconds>(tuning.governor.spin).count()},
          {"queue_limit_us", duration_cast<std::chrono::microseconds>(tuning.queue_limit).count()},
          {"tun_queue_timed", tuning.tun_queue_timed},
          {"offloads",
           {{"udp_receive", offloads.udp_receive},
            {"udp_send", offloads.udp_send},
            {"tun_tcp", offloads.tun_tcp},
            {"tun_udp", offloads.tun_udp},
            {"tun_udp_tunnel", offloads.tun_udp_tunnel}}}};
}

Json ciphers_json(const std::vector<CipherStatus>& ciphers) {
  Json json = Json::array();
  for (const CipherStatus& cipher : ciphers) {
    json.push_back({{"name", cipher.name},
                    {"ns_per_packet", cipher.ns_per_packet},
                    {"refused", cipher.refused.empty() ? Json() : Json(cipher.refused)}});
  }
  return json;
}

Json direction_json(const DirectionStatus& direction) {
  return {{"received", direction.received},     {"received_bytes", direction.received_bytes},
          {"generated", direction.generated},   {"sent", direction.sent},
          {"sent_bytes", direction.sent_bytes}, {"consumed", direction.consumed},
          {"queued", direction.queued},         {"drops", drops_json(direction.drops)}};
}

Json worker_json(const WorkerStatus& worker) {
  return {{"name", worker.name},
          {"from_wire", direction_json(worker.from_wire)},
          {"to_wire", direction_json(worker.to_wire)},
          {"open_batches", worker.open_batches},
          {"open_jobs", worker.open_jobs},
          {"seal_batches", worker.seal_batches},
          {"seal_jobs", worker.seal_jobs}};
}

Json handshakes_json(const HandshakeStatus& handshakes) {
  return {{"received", handshakes.received},
          {"processed", handshakes.processed},
          {"established", handshakes.established},
          {"initiations_sent", handshakes.initiations_sent},
          {"responses_sent", handshakes.responses_sent},
          {"cookies_sent", handshakes.cookies_sent},
          {"events_lost", handshakes.events_lost},
          {"drops", drops_json(handshakes.drops)}};
}

Json peer_json(const PeerStatus& peer) {
  return {{"name", peer.name},
          {"public_key", peer.public_key},
          {"endpoint", peer.endpoint.empty() ? Json() : Json(peer.endpoint)},
          {"allowed_ips", peer.allowed_ips},
          {"last_handshake_s", peer.last_handshake_s},
          {"received_bytes", peer.received_bytes},
          {"sent_bytes", peer.sent_bytes}};
}

Json warm_legs_json(const relay::LegSourceState& warm) {
  return {{"idle", warm.idle},
          {"connecting", warm.connecting},
          {"target", warm.target},
          {"hits", warm.hits},
          {"misses", warm.misses},
          {"opened", warm.opened},
          {"failed", warm.failed},
          {"expired", warm.expired},
          {"died", warm.died},
          {"surplus", warm.surplus},
          {"failures_in_row", warm.failures_in_row},
          {"connect_rtt_us",
           std::chrono::duration_cast<std::chrono::microseconds>(warm.connect_rtt).count()}};
}

Json path_json(const std::optional<relay::PathState>& path) {
  if (!path) return {};
  return {{"rate_bps", path->rate_bps},    {"limited", path->limited},
          {"sending", path->sending},      {"probes_passed", path->passed},
          {"probes_failed", path->failed}, {"probes_undecided", path->undecided}};
}

Json leg_proof_json(const relay::LegProofCounters& proof) {
  const auto known = [](const std::optional<bool>& authenticated) {
    return authenticated ? Json(*authenticated) : Json();
  };
  Json refused = Json::object();
  for (std::size_t fault = 1; fault < relay::leg_fault_count; ++fault) {
    refused[std::string{name_of(relay::LegFault{static_cast<std::uint8_t>(fault)})}] =
        proof.refused[fault];
  }
  const bool at_fault = proof.from_authenticated == false;
  return {{"from_authenticated", known(proof.from_authenticated)},
          {"from_fault", at_fault ? Json(name_of(proof.last_fault)) : Json()},
          {"to_authenticated", known(proof.to_authenticated)},
          {"refused", std::move(refused)}};
}

Json syn_watches_json(const std::vector<SynWatchStatus>& watches) {
  Json devices = Json::array();
  for (const auto& [device, counters] : watches) {
    devices.push_back({{"device", device},
                       {"seen", counters.seen},
                       {"reported", counters.reported},
                       {"over_source_budget", counters.over_source_budget},
                       {"over_total_budget", counters.over_total_budget},
                       {"ring_full", counters.ring_full}});
  }
  return devices;
}

double microseconds(Duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

Json histogram_json(const LatencyHistogram& histogram) {
  Json buckets = Json::array();
  histogram.for_each_bucket(
      [&](Duration end, std::uint64_t count) { buckets.push_back({microseconds(end), count}); });
  return {{"count", histogram.count()},
          {"sum_us", static_cast<double>(histogram.sum_ns()) / 1e3},
          {"p50_us", microseconds(histogram.percentile(0.5))},
          {"p95_us", microseconds(histogram.percentile(0.95))},
          {"p99_us", microseconds(histogram.percentile(0.99))},
          {"max_us", microseconds(histogram.max())},
          {"buckets", std::move(buckets)}};
}

Json stages_json(const relay::StageTimes& stages) {
  Json json = Json::object();
  for (std::size_t via = 0; via < relay::via_count; ++via) {
    Json& of_via = json[std::string{relay::via_names[via]}];
    for (std::size_t stage = 0; stage < relay::stage_count; ++stage) {
      of_via[std::string{relay::stage_names[stage]}] =
          histogram_json(stages.of(relay::Via{static_cast<std::uint8_t>(via)},
                                   relay::Stage{static_cast<std::uint8_t>(stage)}));
    }
  }
  return json;
}

Json pops_json(const std::vector<relay::PopCounters>& counters) {
  Json pops = Json::array();
  for (const relay::PopCounters& pop : counters) {
    pops.push_back({{"name", pop.name},
                    {"usable", pop.usable},
                    {"legs_opened", pop.legs_opened},
                    {"legs_failed", pop.legs_failed},
                    {"legs_silent", pop.silent},
                    {"connections_left", pop.left},
                    {"legs_here", pop.legs_here},
                    {"waiting_here", pop.waiting_here},
                    {"refused_here", pop.refused_here},
                    {"legs", pop.legs == relay::Legs::any ? "any" : "authenticated"},
                    {"last_leg", leg_proof_json(pop.proof)},
                    {"refused_clients", pop.refused_clients},
                    {"warm", warm_legs_json(pop.warm)},
                    {"path", path_json(pop.path)}});
  }
  return pops;
}

Json relay_json(const relay::RelaySnapshot& relay) {
  Json outcomes = Json::object();
  for (std::size_t i = 0; i < relay.outcomes.size(); ++i) {
    outcomes[std::string{name_of(static_cast<relay::Outcome>(i))}] = relay.outcomes[i];
  }
  const relay::EarlySynCounters& early = relay.early_syn;
  const relay::HeldSynCounters& held = relay.held_syns;
  return {
      {"accepted_clients", relay.accepted_clients},
      {"accepted_legs", relay.accepted_legs},
      {"active", relay.active},
      {"waiting_legs", relay.waiting_legs},
      {"bytes_upstream", relay.bytes_upstream},
      {"bytes_downstream", relay.bytes_downstream},
      {"outcomes", outcomes},
      {"early_syn",
       {{"seen", early.seen},
        {"begun", early.begun},
        {"claimed", early.claimed},
        {"over_budget", early.over_budget},
        {"late", early.late},
        {"wrong_device", early.wrong_device},
        {"unclaimed", early.unclaimed}}},
      {"accept", relay.accept == relay::Accept::verified ? "verified" : "early"},
      {"held_syns",
       {{"held", held.held},
        {"passed", held.passed},
        {"refused", held.refused},
        {"repeated", held.repeated},
        {"waiting", held.waiting}}},
      {"client_start",
       {{"enabled", relay.client_start.enabled},
        {"possible", relay.client_start.possible},
        {"known_clients", relay.client_start.known},
        {"starts", relay.client_start.starts}}},
      {"buffers",
       {{"promised_bytes", relay.buffers.promised_bytes},
        {"clients", relay.buffers.clients},
        {"cut_short", relay.buffers.cut_short}}},
      {"stages", stages_json(relay.stages)},
      {"log",
       {{"lines", relay.log.lines}, {"left_out", relay.log.left_out}, {"lost", relay.log.lost}}},
      {"pops", pops_json(relay.pops)}};
}

std::array<std::uint64_t, drop_count> read_drops(const DropCounters& counters) noexcept {
  std::array<std::uint64_t, drop_count> drops{};
  for (std::size_t reason = 0; reason < drop_count; ++reason) {
    drops[reason] = counters.of(static_cast<Drop>(reason));
  }
  return drops;
}

}  // namespace

DirectionStatus read_counters(const lane::DirectionCounters& counters) noexcept {
  DirectionStatus status;
  status.received = counters.received.value();
  status.received_bytes = counters.received_bytes.value();
  status.generated = counters.generated.value();
  status.sent = counters.sent.value();
  status.sent_bytes = counters.sent_bytes.value();
  status.consumed = counters.consumed.value();
  status.queued = counters.queued();
  status.drops = read_drops(counters.drops);
  return status;
}

WorkerStatus read_counters(std::string name, const lane::LaneCounters& counters) {
  WorkerStatus status;
  status.name = std::move(name);
  status.from_wire = read_counters(counters.from_wire);
  status.to_wire = read_counters(counters.to_wire);
  status.open_batches = counters.open_batches.value();
  status.open_jobs = counters.open_jobs.value();
  status.seal_batches = counters.seal_batches.value();
  status.seal_jobs = counters.seal_jobs.value();
  return status;
}

HandshakeStatus read_counters(const lane::HandshakeCounters& counters) noexcept {
  HandshakeStatus status;
  status.received = counters.received.value();
  status.processed = counters.processed.value();
  status.established = counters.established.value();
  status.initiations_sent = counters.initiations_sent.value();
  status.responses_sent = counters.responses_sent.value();
  status.cookies_sent = counters.cookies_sent.value();
  status.events_lost = counters.events_lost.value();
  status.drops = read_drops(counters.drops);
  return status;
}

HttpCounts read_counters(const HttpCounters& counters) noexcept {
  HttpCounts counts{};
  std::ranges::transform(counters, counts.begin(), &Counter::value);
  return counts;
}

std::string to_json(const NodeStatus& status) {
  Json json{{"version", status.version},
            {"interface", status.interface},
            {"public_key", status.public_key},
            {"listen_port", status.listen_port},
            {"cipher_engine", status.cipher_engine},
            {"cipher_ns_per_packet", status.cipher_ns_per_packet},
            {"ciphers", ciphers_json(status.ciphers)},
            {"tuning", tuning_json(status.tuning)},
            {"uptime_s", status.uptime_s},
            {"lost_log_lines", status.lost_log_lines},
            {"confinement",
             {{"landlock", status.confinement.landlock_version},
              {"system_calls", status.confinement.system_calls},
              {"lacks", status.confinement.lacks},
              {"refused_calls", status.refused_calls}}},
            {"workers", Json::array()},
            {"handshakes", handshakes_json(status.handshakes)},
            {"kernel_drops", {{"udp", status.kernel_drops_udp}, {"tun", status.kernel_drops_tun}}},
            {"firewall", Json::object()},
            {"peers", Json::array()},
            {"metrics_requests", scrapes_json(status.scrapes)},
            {"relay", Json{}}};
  for (const WorkerStatus& worker : status.workers) json["workers"].push_back(worker_json(worker));
  for (const FirewallCount& count : status.firewall) json["firewall"][count.name] = count.packets;
  for (const PeerStatus& peer : status.peers) json["peers"].push_back(peer_json(peer));
  if (status.relay) {
    json["relay"] = relay_json(*status.relay);
    json["relay"]["early_syn"]["devices"] = syn_watches_json(status.syn_watches);
  }
  // Names come from files and the wire: what is not UTF-8 must not throw.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tw::node
