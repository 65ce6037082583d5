#include "node/report/metrics.h"

#include <poll.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <initializer_list>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "base/time.h"
#include "base/unique_fd.h"
#include "node/http/http_server.h"

namespace tw::node {
namespace {

using Families = std::vector<prometheus::MetricFamily>;
using Labels = std::vector<prometheus::ClientMetric::Label>;

prometheus::MetricFamily family(std::string_view name, std::string_view help,
                                prometheus::MetricType type) {
  prometheus::MetricFamily made;
  made.name = std::string{"thalweg_"} + std::string{name};
  made.help = std::string{help};
  made.type = type;
  return made;
}

prometheus::MetricFamily counters(std::string_view name, std::string_view help) {
  return family(name, help, prometheus::MetricType::Counter);
}

void add(prometheus::MetricFamily& into, Labels labels, double value) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  if (into.type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  into.metric.push_back(std::move(metric));
}

void add(prometheus::MetricFamily& into, Labels labels, std::uint64_t value) {
  add(into, std::move(labels), static_cast<double>(value));
}

void add_drops(prometheus::MetricFamily& into, const Labels& labels,
               const std::array<std::uint64_t, drop_count>& drops) {
  for (std::size_t reason = 0; reason < drop_count; ++reason) {
    Labels with_reason = labels;
    with_reason.push_back({"reason", std::string{drop_names[reason]}});
    add(into, std::move(with_reason), drops[reason]);
  }
}

void add_workers(Families& families, const NodeStatus& status) {
  auto segments =
      counters("segments_total", "Segments by worker, direction and what became of them");
  auto bytes = counters("bytes_total", "Bytes by worker, direction and side");
  auto drops = counters("drops_total", "Segments dropped, by reason");
  auto queued =
      family("queued_segments", "Segments waiting for a handshake", prometheus::MetricType::Gauge);
  for (const WorkerStatus& worker : status.workers) {
    for (const auto& [name, direction] :
         {std::pair{"from_wire", &worker.from_wire}, std::pair{"to_wire", &worker.to_wire}}) {
      const Labels labels{{"worker", worker.name}, {"direction", name}};
      const auto labelled = [&](const char* key, const char* value) {
        Labels more = labels;
        more.push_back({key, value});
        return more;
      };
      add(segments, labelled("what", "received"), direction->received);
      add(segments, labelled("what", "generated"), direction->generated);
      add(segments, labelled("what", "sent"), direction->sent);
      add(segments, labelled("what", "consumed"), direction->consumed);
      add(bytes, labelled("side", "in"), direction->received_bytes);
      add(bytes, labelled("side", "out"), direction->sent_bytes);
      add(queued, labels, static_cast<double>(direction->queued));
      add_drops(drops, labels, direction->drops);
    }
  }
  add_drops(drops, {{"worker", "handshakes"}, {"direction", "from_wire"}}, status.handshakes.drops);
  for (auto* made : {&segments, &bytes, &drops, &queued}) families.push_back(std::move(*made));
}

void add_handshakes(Families& families, const HandshakeStatus& handshakes) {
  auto messages = counters("handshake_messages_total", "Handshake messages by what became of them");
  add(messages, {{"what", "received"}}, handshakes.received);
  add(messages, {{"what", "processed"}}, handshakes.processed);
  add(messages, {{"what", "initiation_sent"}}, handshakes.initiations_sent);
  add(messages, {{"what", "response_sent"}}, handshakes.responses_sent);
  add(messages, {{"what", "cookie_sent"}}, handshakes.cookies_sent);
  add(messages, {{"what", "event_lost"}}, handshakes.events_lost);
  auto established = counters("handshakes_total", "Handshakes completed");
  add(established, {}, handshakes.established);
  families.push_back(std::move(messages));
  families.push_back(std::move(established));
}

void add_peers(Families& families, const NodeStatus& status) {
  auto bytes = counters("peer_bytes_total", "WireGuard bytes by peer");
  auto handshake =
      family("peer_last_handshake_seconds", "Unix time of the last handshake, 0: never",
             prometheus::MetricType::Gauge);
  for (const PeerStatus& peer : status.peers) {
    const Labels labels{{"peer", peer.name}, {"public_key", peer.public_key}};
    Labels received = labels, sent = labels;
    received.push_back({"side", "in"});
    sent.push_back({"side", "out"});
    add(bytes, std::move(received), peer.received_bytes);
    add(bytes, std::move(sent), peer.sent_bytes);
    add(handshake, labels, static_cast<double>(peer.last_handshake_s));
  }
  families.push_back(std::move(bytes));
  families.push_back(std::move(handshake));
}

// Bounds are powers of two in nanoseconds, from 65 µs to 2.4 h: there the counts are exact.
constexpr unsigned first_bound = 16, last_bound = 43;

prometheus::ClientMetric::Histogram histogram_of(const LatencyHistogram& latencies) {
  prometheus::ClientMetric::Histogram made;
  made.sample_count = latencies.count();
  made.sample_sum = static_cast<double>(latencies.sum_ns()) / 1e9;
  for (unsigned bound = first_bound; bound <= last_bound; ++bound) {
    prometheus::ClientMetric::Bucket bucket;
    bucket.upper_bound = static_cast<double>(std::uint64_t{1} << bound) / 1e9;
    made.bucket.push_back(bucket);
  }
  latencies.for_each_bucket([&](Duration end, std::uint64_t count) {
    for (unsigned bound = first_bound; bound <= last_bound; ++bound) {
      if (end.count() >> bound == 0) made.bucket[bound - first_bound].cumulative_count += count;
    }
  });
  return made;
}

void add_stages(Families& families, const relay::StageTimes& stages) {
  auto times = family("relay_stage_seconds",
                      "When connections reached a stage, since they began, by how they went on",
                      prometheus::MetricType::Histogram);
  for (std::size_t via = 0; via < relay::via_count; ++via) {
    for (std::size_t stage = 0; stage < relay::stage_count; ++stage) {
      prometheus::ClientMetric metric;
      metric.label = {{"via", std::string{relay::via_names[via]}},
                      {"stage", std::string{relay::stage_names[stage]}}};
      metric.histogram = histogram_of(stages.of(relay::Via{static_cast<std::uint8_t>(via)},
                                                relay::Stage{static_cast<std::uint8_t>(stage)}));
      times.metric.push_back(std::move(metric));
    }
  }
  families.push_back(std::move(times));
}

void add_connection_log(Families& families, const relay::ConnectionLogCounters& log) {
  auto lines = counters("relay_log_lines_total", "Connections logged, left out, and lost");
  add(lines, {{"what", "said"}}, log.lines);
  add(lines, {{"what", "left_out"}}, log.left_out);
  add(lines, {{"what", "lost"}}, log.lost);
  families.push_back(std::move(lines));
}

void add_client_start(Families& families, const relay::ClientStartCounters& start) {
  auto starts = counters("relay_client_starts_total", "Connections that started faster by memory");
  add(starts, {}, start.starts);
  auto known = family("relay_known_clients", "Clients whose path is remembered",
                      prometheus::MetricType::Gauge);
  add(known, {}, static_cast<double>(start.known));
  families.push_back(std::move(starts));
  families.push_back(std::move(known));
}

void add_proofs(Families& families, const std::vector<relay::PopCounters>& pops) {
  auto refused = counters("relay_refused_legs_total", "Legs of a PoP that were refused, by why");
  auto proven = family("relay_leg_authenticated", "1: the last leg from, or to, this PoP was",
                       prometheus::MetricType::Gauge);
  for (const relay::PopCounters& pop : pops) {
    for (std::size_t fault = 1; fault < relay::leg_fault_count; ++fault) {
      const auto name = name_of(relay::LegFault{static_cast<std::uint8_t>(fault)});
      add(refused, {{"pop", pop.name}, {"reason", std::string{name}}}, pop.proof.refused[fault]);
    }
    add(refused, {{"pop", pop.name}, {"reason", "client"}}, pop.refused_clients);
    for (const auto& [side, known] : {std::pair{"from", pop.proof.from_authenticated},
                                      std::pair{"to", pop.proof.to_authenticated}}) {
      if (known) add(proven, {{"pop", pop.name}, {"side", side}}, *known ? 1.0 : 0.0);
    }
  }
  families.push_back(std::move(refused));
  families.push_back(std::move(proven));
}

void add_pops(Families& families, const std::vector<relay::PopCounters>& pops) {
  auto legs = counters("relay_legs_total", "Legs to other PoPs, by what became of them");
  auto usable = family("relay_pop_usable", "1: new connections go by this PoP; 0: it is not heard",
                       prometheus::MetricType::Gauge);
  for (const relay::PopCounters& pop : pops) {
    add(legs, {{"pop", pop.name}, {"what", "opened"}}, pop.legs_opened);
    add(legs, {{"pop", pop.name}, {"what", "failed"}}, pop.legs_failed);
    add(legs, {{"pop", pop.name}, {"what", "silent"}}, pop.silent);
    add(legs, {{"pop", pop.name}, {"what", "left"}}, pop.left);
    add(usable, {{"pop", pop.name}}, pop.usable ? 1.0 : 0.0);
  }
  auto here = family("relay_pop_legs", "Legs that this PoP has opened to us",
                     prometheus::MetricType::Gauge);
  auto over = counters("relay_pop_legs_refused_total",
                       "Legs of this PoP that were refused, as it has as many as it may");
  for (const relay::PopCounters& pop : pops) {
    add(here, {{"pop", pop.name}, {"what", "waiting"}}, static_cast<double>(pop.waiting_here));
    add(here, {{"pop", pop.name}, {"what", "in_use"}},
        static_cast<double>(pop.legs_here - pop.waiting_here));
    add(over, {{"pop", pop.name}}, pop.refused_here);
  }
  add_proofs(families, pops);
  auto warm = counters("relay_warm_legs_total", "Warm legs, by what became of them");
  auto idle = family("relay_warm_legs_idle", "Warm legs that wait", prometheus::MetricType::Gauge);
  for (const relay::PopCounters& pop : pops) {
    const relay::LegSourceState& legs_of = pop.warm;
    for (const auto& [what, count] :
         {std::pair{"hit", legs_of.hits}, std::pair{"miss", legs_of.misses},
          std::pair{"opened", legs_of.opened}, std::pair{"failed", legs_of.failed},
          std::pair{"expired", legs_of.expired}, std::pair{"died", legs_of.died},
          std::pair{"surplus", legs_of.surplus}}) {
      add(warm, {{"pop", pop.name}, {"what", what}}, count);
    }
    add(idle, {{"pop", pop.name}}, static_cast<double>(legs_of.idle));
  }
  auto rates = family("relay_path_rate_bits_per_second",
                      "What the legs to this PoP together may send", prometheus::MetricType::Gauge);
  auto probes =
      counters("relay_path_probes_total", "Starts of legs, by what became of their first window");
  for (const relay::PopCounters& pop : pops) {
    if (!pop.path) continue;
    add(rates, {{"pop", pop.name}}, static_cast<double>(pop.path->rate_bps));
    for (const auto& [what, count] :
         {std::pair{"passed", pop.path->passed}, std::pair{"failed", pop.path->failed},
          std::pair{"undecided", pop.path->undecided}}) {
      add(probes, {{"pop", pop.name}, {"what", what}}, count);
    }
  }
  for (auto* made : {&legs, &usable, &here, &over, &warm, &idle, &rates, &probes}) {
    families.push_back(std::move(*made));
  }
}

void add_relay(Families& families, const relay::RelaySnapshot& relay) {
  auto accepted = counters("relay_accepted_total", "Connections accepted, by side");
  add(accepted, {{"side", "client"}}, relay.accepted_clients);
  add(accepted, {{"side", "leg"}}, relay.accepted_legs);
  auto active = family("relay_active", "Connections being relayed", prometheus::MetricType::Gauge);
  add(active, {}, static_cast<double>(relay.active));
  auto bytes = counters("relay_bytes_total", "Bytes relayed, by direction");
  add(bytes, {{"direction", "upstream"}}, relay.bytes_upstream);
  add(bytes, {{"direction", "downstream"}}, relay.bytes_downstream);
  auto outcomes = counters("relay_outcomes_total", "How connections ended");
  for (std::size_t i = 0; i < relay.outcomes.size(); ++i) {
    add(outcomes, {{"outcome", std::string{name_of(static_cast<relay::Outcome>(i))}}},
        relay.outcomes[i]);
  }
  auto early = counters("relay_early_syn_total", "SYNs seen before their handshakes were complete");
  const relay::EarlySynCounters& syns = relay.early_syn;
  for (const auto& [what, count] :
       {std::pair{"seen", syns.seen}, std::pair{"begun", syns.begun},
        std::pair{"claimed", syns.claimed}, std::pair{"over_budget", syns.over_budget},
        std::pair{"late", syns.late}, std::pair{"wrong_device", syns.wrong_device}}) {
    add(early, {{"what", what}}, count);
  }
  auto promised = family("relay_buffer_bytes", "Kernel memory promised to what is being relayed",
                         prometheus::MetricType::Gauge);
  add(promised, {}, static_cast<double>(relay.buffers.promised_bytes));
  auto cut = counters("relay_buffer_cut_short_total",
                      "Times that a connection was given less memory than it wanted");
  add(cut, {}, relay.buffers.cut_short);
  auto held = counters("relay_held_syns_total", "SYNs held until their servers had answered");
  const relay::HeldSynCounters& answered = relay.held_syns;
  for (const auto& [what, count] :
       {std::pair{"held", answered.held}, std::pair{"passed", answered.passed},
        std::pair{"refused", answered.refused}, std::pair{"repeated", answered.repeated}}) {
    add(held, {{"what", what}}, count);
  }
  for (auto* made : {&accepted, &active, &bytes, &outcomes, &early, &held, &promised, &cut}) {
    families.push_back(std::move(*made));
  }
}

void add_syn_watches(Families& families, const std::vector<SynWatchStatus>& watches) {
  auto syns = counters("relay_device_syns_total", "SYNs seen at tc ingress of client devices");
  for (const auto& [device, of] : watches) {
    for (const auto& [what, count] : {std::pair{"reported", of.reported},
                                      std::pair{"over_source_budget", of.over_source_budget},
                                      std::pair{"over_total_budget", of.over_total_budget},
                                      std::pair{"ring_full", of.ring_full}}) {
      add(syns, {{"device", device}, {"what", what}}, count);
    }
  }
  families.push_back(std::move(syns));
}

/// Which offloads there are still, and what the cipher costs: to be seen when a machine has become
/// slow.
void add_tuning(Families& families, const NodeStatus& status) {
  using prometheus::MetricType;
  auto offloads =
      family("offload", "1: in effect; 0: turned off, not had, or lost since", MetricType::Gauge);
  const DeviceOffloads& has = status.tuning.offloads;
  for (const auto& [name, on] :
       {std::pair{"udp_receive", has.udp_receive}, std::pair{"udp_send", has.udp_send},
        std::pair{"tun_tcp", has.tun_tcp}, std::pair{"tun_udp", has.tun_udp},
        std::pair{"tun_udp_tunnel", has.tun_udp_tunnel}}) {
    add(offloads, {{"offload", name}}, on ? 1.0 : 0.0);
  }
  auto cipher = family("cipher_seconds_per_packet",
                       "To seal or open 1,420 bytes, as timed at the start", MetricType::Gauge);
  for (const CipherStatus& engine : status.ciphers) {
    if (!engine.refused.empty()) continue;
    add(cipher, {{"engine", engine.name}}, static_cast<double>(engine.ns_per_packet) / 1e9);
  }
  auto limit = family("queue_limit_seconds", "How long a packet may wait in a queue; 0: any time",
                      MetricType::Gauge);
  add(limit, {}, std::chrono::duration<double>(status.tuning.queue_limit).count());
  auto lines = counters("log_lines_lost_total", "Log lines that found no room");
  add(lines, {}, status.lost_log_lines);
  auto refused = counters("refused_system_calls_total",
                          "System calls that are not on this process's list, and failed");
  add(refused, {}, status.refused_calls);
  for (auto* made : {&offloads, &cipher, &limit, &lines, &refused})
    families.push_back(std::move(*made));
}

void add_scrapes(Families& families, const std::optional<HttpCounts>& scrapes) {
  if (!scrapes) return;
  auto requests = counters("metrics_requests_total",
                           "Requests to this port, and connections without one, by their end");
  for (std::size_t outcome = 0; outcome < http_outcome_count; ++outcome) {
    add(requests, {{"outcome", std::string{http_outcome_names[outcome]}}}, (*scrapes)[outcome]);
  }
  families.push_back(std::move(requests));
}

Families families_of(const NodeStatus& status) {
  Families families;
  auto build = family("build_info", "The running version", prometheus::MetricType::Gauge);
  add(build, {{"version", status.version}, {"cipher_engine", status.cipher_engine}}, 1.0);
  families.push_back(std::move(build));
  add_tuning(families, status);
  add_workers(families, status);
  add_handshakes(families, status.handshakes);
  auto kernel = counters("kernel_drops_total", "Packets the kernel dropped before the lane");
  add(kernel, {{"queue", "udp"}}, status.kernel_drops_udp);
  add(kernel, {{"queue", "tun"}}, status.kernel_drops_tun);
  families.push_back(std::move(kernel));
  auto refused = counters("firewall_refused_total", "Packets the firewall refused, by counter");
  for (const FirewallCount& count : status.firewall) {
    add(refused, {{"counter", count.name}}, count.packets);
  }
  families.push_back(std::move(refused));
  add_peers(families, status);
  add_scrapes(families, status.scrapes);
  if (status.relay) {
    add_relay(families, *status.relay);
    add_pops(families, status.relay->pops);
    add_syn_watches(families, status.syn_watches);
    add_stages(families, status.relay->stages);
    add_connection_log(families, status.relay->log);
    add_client_start(families, status.relay->client_start);
  }
  return families;
}

/// Returns the time that poll() may wait from `now`, in ms, rounded up; -1: for ever.
int wait_ms(Instant now, Instant until) noexcept {
  if (until == Instant::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now);
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

}  // namespace

struct MetricsServer::State {
  std::unique_ptr<HttpServer> server;
  UniqueFd stop;
  SystemClock clock;
  std::thread thread;

  ~State() {
    if (!thread.joinable()) return;
    ::eventfd_write(stop.get(), 1);
    thread.join();
  }

  void run() {
    std::array<pollfd, 2> waits{{{server->wait_fd(), POLLIN, 0}, {stop.get(), POLLIN, 0}}};
    for (;;) {
      ::poll(waits.data(), waits.size(), wait_ms(clock.now(), server->next_deadline()));
      if (waits[1].revents != 0) return;
      server->handle(clock.now());
    }
  }
};

MetricsServer::MetricsServer(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
MetricsServer::~MetricsServer() = default;

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const Endpoint& listen, Source source,
                                                            HttpCounters& counters) {
  auto state = std::make_unique<State>();
  auto server = HttpServer::listen(
      listen,
      [source = std::move(source)] {
        return prometheus::TextSerializer{}.Serialize(families_of(source()));
      },
      counters);
  if (!server) {
    return make_error(Error::Kind::unavailable,
                      "node.metrics: cannot listen on " + listen.text() +
                          " — is the port in use? Choose another in [node] metrics");
  }
  state->server = std::move(*server);
  state->stop.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state->stop) return system_error("eventfd of the metrics");
  try {
    state->thread = std::thread{[of = state.get()] { of->run(); }};
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "thread of the metrics");
  }
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(state)));
}

}  // namespace tw::node
