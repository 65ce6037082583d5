#include "lab/clients/clients_report.h"
#include "lab/report/json.h"

namespace tw::lab {
namespace {

using Json = ReportJson;

double seconds_of(Duration time) { return std::chrono::duration<double>(time).count(); }

Json latency_json(const LatencySummary& summary) {
  return {{"count", summary.count},
          {"p50", rounded(summary.p50_us)},
          {"p99", rounded(summary.p99_us)},
          {"p99_9", rounded(summary.p999_us)},
          {"max", rounded(summary.max_us)}};
}

Json handshakes_json(const HandshakeReport& handshakes) {
  return {{"established", handshakes.established},
          {"completed", handshakes.completed},
          {"seconds", rounded(seconds_of(handshakes.time))},
          {"per_second", rounded(handshakes.per_second())},
          {"initiations", handshakes.initiations},
          {"retries", handshakes.retries},
          {"cookies", handshakes.cookies},
          {"refused", handshakes.refused},
          {"gave_up", handshakes.gave_up},
          {"unsent", handshakes.unsent},
          {"response_us", latency_json(handshakes.response)}};
}

Json load_json(const ClientsReport& report, const LoadReport& load, bool per_peer) {
  Json json{{"seconds", rounded(seconds_of(load.time))},
            {"intended_bps", rounded(report.options.rate_bps)},
            {"offered_bps", rounded(report.offered_bps())},
            {"delivered_bps", rounded(report.delivered_bps())},
            {"sent", load.sent},
            {"received", load.received},
            {"lost", load.lost()},
            {"loss", load.loss()},
            {"worst_peer_loss", load.worst_loss()},
            {"peers_with_loss", load.peers_with_loss()},
            {"reordered", load.reordered},
            {"repeated", load.repeated},
            {"corrupt", load.corrupt},
            {"foreign", load.foreign},
            {"sink_drops", load.sink_drops},
            {"kept_schedule", report.kept_schedule()},
            {"late", load.late},
            {"most_late_us", rounded(seconds_of(load.most_late) * 1e6)},
            {"skipped", load.skipped},
            {"refused", load.refused},
            {"no_keypair", load.no_keypair},
            {"handshakes", load.handshakes}};
  if (!per_peer) return json;
  Json peers = Json::array();
  for (std::size_t peer = 0; peer < load.sent_by_peer.size(); ++peer) {
    const PeerArrivals& arrivals = load.arrivals_by_peer[peer];
    peers.push_back({{"sent", load.sent_by_peer[peer]},
                     {"received", arrivals.received},
                     {"reordered", arrivals.reordered}});
  }
  json["peers"] = std::move(peers);
  return json;
}

Json options_json(const ClientsOptions& options) {
  return {{"target", options.target.text()},
          {"peers", options.peers},
          {"size", options.size},
          {"burst", options.burst},
          {"interleave", options.interleave},
          {"sealed_ahead", options.sealed_ahead},
          {"sockets", options.socket_count()},
          {"duration_s", seconds_of(options.duration)},
          {"warmup_s", seconds_of(options.warmup)},
          {"seed", options.seed}};
}

Json flood_json(const ClientsReport& report, const FloodReport& flood) {
  const double seconds = seconds_of(flood.time);
  return {{"kind", flood_names[std::to_underlying(report.options.flood)]},
          {"intended_pps", rounded(report.options.flood_pps)},
          {"pps", seconds > 0 ? rounded(static_cast<double>(flood.sent) / seconds) : 0},
          {"sent", flood.sent},
          {"refused", flood.refused}};
}

Json threads_json(const ClientsReport& report) {
  Json threads = Json::object();
  for (const ThreadReport& thread : report.threads) {
    const double seconds = seconds_of(thread.time);
    threads[thread.name] = {
        {"user_s", rounded(seconds_of(thread.cpu.user))},
        {"system_s", rounded(seconds_of(thread.cpu.system))},
        {"seconds", rounded(seconds)},
        {"share", seconds > 0 ? rounded(seconds_of(thread.cpu.total()) / seconds) : 0}};
  }
  return threads;
}

}  // namespace

ReportJson to_json(const ClientsReport& report, bool per_peer) {
  Json json{{"options", options_json(report.options)},
            {"handshakes", handshakes_json(report.handshakes)}};
  if (report.load) json["load"] = load_json(report, *report.load, per_peer);
  if (report.bystander) {
    json["bystander"] = {{"sent", report.bystander->sent},
                         {"received", report.bystander->received},
                         {"interval_ms", seconds_of(report.options.bystander_interval) * 1e3},
                         {"rtt_us", latency_json(report.bystander->round_trip)},
                         {"late_us", latency_json(report.bystander->late)}};
  }
  if (report.flood) json["flood"] = flood_json(report, *report.flood);
  json["cpu"] = threads_json(report);
  return json;
}

}  // namespace tw::lab
