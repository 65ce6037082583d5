// The names of everything that a node counts: base/describe.h.
#pragma once

#include <chrono>
#include <string>

#include "base/describe.h"
#include "node/config/keys/words.h"
#include "node/report/status.h"

namespace tw::node {

inline constexpr MetricFamily build_metric{"build_info", "The running version",
                                           MetricFamily::Type::gauge};
inline constexpr MetricFamily offload_metric{
    "offload", "1: in effect; 0: turned off, not had, or lost since", MetricFamily::Type::gauge};
inline constexpr MetricFamily cipher_metric{"cipher_seconds_per_packet",
                                            "To seal or open 1,420 bytes, as timed at the start",
                                            MetricFamily::Type::gauge};
inline constexpr MetricFamily queue_limit_metric{
    "queue_limit_seconds", "How long a packet may wait in a queue; 0: any time",
    MetricFamily::Type::gauge};
inline constexpr MetricFamily lost_lines_metric{"log_lines_lost_total",
                                                "Log lines that found no room"};
inline constexpr MetricFamily refused_calls_metric{
    "refused_system_calls_total", "System calls that are not on this process's list, and failed"};
inline constexpr MetricFamily kernel_drops_metric{"kernel_drops_total",
                                                  "Packets the kernel dropped before the lane"};
inline constexpr MetricFamily firewall_metric{"firewall_refused_total",
                                              "Packets the firewall refused, by counter"};
inline constexpr MetricFamily peer_bytes_metric{"peer_bytes_total", "WireGuard bytes by peer"};
inline constexpr MetricFamily last_handshake_metric{"peer_last_handshake_seconds",
                                                    "Unix time of the last handshake, 0: never",
                                                    MetricFamily::Type::gauge};
inline constexpr MetricFamily reload_metric{"last_reload_successful",
                                            "1: the last reload was taken, or there was none",
                                            MetricFamily::Type::gauge};
inline constexpr MetricFamily reload_time_metric{
    "last_reload_success_timestamp_seconds",
    "Unix time of the last reload that was taken, or of the start", MetricFamily::Type::gauge};
inline constexpr MetricFamily scrapes_metric{
    "metrics_requests_total", "Requests to this port, and connections without one, by their end"};

template <typename Visitor>
void describe(Visitor& visit, const DeviceOffloads& of) {
  visit.flag("udp_receive", of.udp_receive, {&offload_metric, "offload", "udp_receive"});
  visit.flag("udp_send", of.udp_send, {&offload_metric, "offload", "udp_send"});
  visit.flag("tun_tcp", of.tun_tcp, {&offload_metric, "offload", "tun_tcp"});
  visit.flag("tun_udp", of.tun_udp, {&offload_metric, "offload", "tun_udp"});
  visit.flag("tun_udp_tunnel", of.tun_udp_tunnel, {&offload_metric, "offload", "tun_udp_tunnel"});
}

template <typename Visitor>
void describe(Visitor& visit, const TuningInEffect& of) {
  visit.text("governor", word_of(of.governor.mode, governor_words));
  visit.time("spin_us", of.governor.spin);
  visit.time("queue_limit_us", of.queue_limit, {&queue_limit_metric});
  visit.flag("tun_queue_timed", of.tun_queue_timed);
  visit.text("steering", word_of(of.steering, steering_words));
  visit.group("offloads", [&] { describe(visit, of.offloads); });
}

template <typename Visitor>
void describe(Visitor& visit, const CipherStatus& of) {
  visit.text("name", of.name);
  visit.number("ns_per_packet", of.ns_per_packet);
  if (of.refused.empty()) {
    visit.sample(static_cast<double>(of.ns_per_packet) / 1e9, {&cipher_metric});
  }
  visit.text_or_null("refused", of.refused);
}

template <typename Visitor>
void describe(Visitor& visit, const PeerStatus& of) {
  visit.text("name", of.name);
  visit.text("public_key", of.public_key);
  visit.text_or_null("endpoint", of.endpoint);
  visit.texts("allowed_ips", of.allowed_ips);
  visit.number("last_handshake_s", of.last_handshake_s, {&last_handshake_metric});
  visit.number("received_bytes", of.received_bytes, {&peer_bytes_metric, "side", "in"});
  visit.number("sent_bytes", of.sent_bytes, {&peer_bytes_metric, "side", "out"});
}

template <typename Visitor>
void describe(Visitor& visit, const HttpCounters& of) {
  for (std::size_t i = 0; i < http_outcome_count; ++i) {
    visit.number(http_outcome_names[i], of[i].value(),
                 {&scrapes_metric, "outcome", http_outcome_names[i]});
  }
}

template <typename Visitor>
void describe_relay(Visitor& visit, const NodeStatus& of) {
  visit.optional("relay", of.relay, [&](const relay::RelaySnapshot& relay) {
    describe(visit, relay);
    visit.group("early_syn", [&] {
      visit.list(
          "devices", of.syn_watches,
          [](const SynWatchStatus& watch) { return MetricLabels{{"device", watch.device}}; },
          [&](const SynWatchStatus& watch) {
            visit.text("device", watch.device);
            describe(visit, watch.counters);
          });
    });
  });
}

template <typename Visitor>
void describe(Visitor& visit, const NodeStatus& of) {
  visit.labelled({{"version", of.version}, {"cipher_engine", of.cipher_engine}},
                 [&] { visit.sample(1, {&build_metric}); });
  visit.text("version", of.version);
  visit.text("interface", of.interface);
  visit.text("public_key", of.public_key);
  visit.number("listen_port", of.listen_port);
  visit.text("cipher_engine", of.cipher_engine);
  visit.number("cipher_ns_per_packet", of.cipher_ns_per_packet);
  visit.list(
      "ciphers", of.ciphers,
      [](const CipherStatus& cipher) { return MetricLabels{{"engine", cipher.name}}; },
      [&](const CipherStatus& cipher) { describe(visit, cipher); });
  visit.group("tuning", [&] { describe(visit, of.tuning); });
  visit.number("uptime_s", of.uptime_s);
  visit.group("reload", [&] {
    visit.flag("succeeded", of.reloads.succeeded, {&reload_metric});
    visit.number("in_force_since_s", of.reloads.in_force_since_s, {&reload_time_metric});
  });
  visit.number("lost_log_lines", of.lost_log_lines, {&lost_lines_metric});
  visit.group("confinement", [&] {
    visit.number("landlock", of.confinement.landlock_version);
    visit.flag("system_calls", of.confinement.system_calls);
    visit.texts("lacks", of.confinement.lacks);
    visit.number("refused_calls", of.refused_calls, {&refused_calls_metric});
  });
  visit.list(
      "workers", of.workers,
      [](const WorkerStatus& worker) { return MetricLabels{{"worker", worker.name}}; },
      [&](const WorkerStatus& worker) {
        visit.text("name", worker.name);
        describe(visit, worker.counters);
      });
  visit.group("handshakes", [&] { describe(visit, of.handshakes); });
  visit.group("kernel_drops", [&] {
    visit.number("udp", of.kernel_drops_udp, {&kernel_drops_metric, "queue", "udp"});
    visit.number("tun", of.kernel_drops_tun, {&kernel_drops_metric, "queue", "tun"});
  });
  visit.each(
      "firewall", of.firewall.size(), [&](std::size_t i) { return of.firewall[i].name; },
      [&](std::size_t i) { return of.firewall[i].packets; },
      {.family = &firewall_metric, .label = "counter"}, Zeros::kept);
  visit.list(
      "peers", of.peers,
      [](const PeerStatus& peer) {
        return MetricLabels{{"peer", peer.name}, {"public_key", peer.public_key}};
      },
      [&](const PeerStatus& peer) { describe(visit, peer); });
  visit.optional("metrics_requests", of.scrapes,
                 [&](const HttpCounters& scrapes) { describe(visit, scrapes); });
  describe_relay(visit, of);
}

}  // namespace tw::node
