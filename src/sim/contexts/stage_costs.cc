#include "sim/contexts/stage_costs.h"

namespace tw::sim {
namespace {

Duration scaled(Duration cost, double scale) noexcept {
  return Duration{static_cast<std::int64_t>(static_cast<double>(cost.count()) * scale)};
}

DirectionCosts scaled(const DirectionCosts& costs, double scale) noexcept {
  return {.receive_call = scaled(costs.receive_call, scale),
          .receive_packet = scaled(costs.receive_packet, scale),
          .cipher = scaled(costs.cipher, scale),
          .cipher_small = scaled(costs.cipher_small, scale),
          .publish = scaled(costs.publish, scale),
          .deliver_call = scaled(costs.deliver_call, scale),
          .deliver_first = scaled(costs.deliver_first, scale),
          .deliver_next = scaled(costs.deliver_next, scale)};
}

}  // namespace

// Single packets: recvmsg 840 to 870 ns, a write to the TUN 846, the cipher's batch 390 (a small
// packet 160: docs/decisions/0012), a ring between cores and an empty turn 50. From the host it is
// the same the other way round.
StageCosts paper_costs(double scale) noexcept {
  const DirectionCosts one_by_one{.receive_call = 50ns,
                                  .receive_packet = 850ns,
                                  .cipher = 390ns,
                                  .cipher_small = 160ns,
                                  .publish = 50ns,
                                  .deliver_call = 50ns,
                                  .deliver_first = 850ns,
                                  .deliver_next = 850ns};
  return {.name = "paper",
          .scale = scale,
          .from_wire = scaled(one_by_one, scale),
          .to_wire = scaled(one_by_one, scale),
          .threads = {.switch_thread = 1500ns,
                      .switch_above = 200ns,
                      .wake_same = 1400ns,
                      .wake_other = 1400ns,
                      .wake_up = 2900ns,
                      .interrupt = 2900ns,
                      .migration = 1000ns}};
}

// Trains: a receive call 750 and 113 a packet, a write to the TUN 800 and 63 a packet, a send 780
// and 86 a packet; `bench_limits wake` 28 us and 8.7 us to another CPU, 2.9 us on the same.
StageCosts own_stage_costs() noexcept {
  return {.name = "own",
          .scale = 1,
          .from_wire = {.receive_call = 750ns,
                        .receive_packet = 113ns,
                        .cipher = 390ns,
                        .cipher_small = 160ns,
                        .publish = 50ns,
                        .deliver_call = 50ns,
                        .deliver_first = 800ns,
                        .deliver_next = 63ns},
          .to_wire = {.receive_call = 750ns,
                      .receive_packet = 63ns,
                      .cipher = 390ns,
                      .cipher_small = 160ns,
                      .publish = 50ns,
                      .deliver_call = 50ns,
                      .deliver_first = 780ns,
                      .deliver_next = 86ns},
          .threads = {.switch_thread = 1500ns,
                      .switch_above = 1500ns,
                      .wake_same = 1400ns,
                      .wake_other = 8700ns,
                      .wake_up = 28us,
                      .interrupt = 2900ns,
                      .migration = 1000ns}};
}

std::vector<NamedCost> named_costs(const StageCosts& costs) {
  std::vector<NamedCost> named;
  const auto direction = [&named](const DirectionCosts& of, bool from_wire) {
    const auto add = [&](std::string_view in, std::string_view out, Duration cost) {
      named.push_back({from_wire ? in : out, cost});
    };
    add("receive_call", "take_call", of.receive_call);
    add("receive_packet", "take_packet", of.receive_packet);
    add("open", "seal", of.cipher);
    add("open_small", "seal_small", of.cipher_small);
    add("publish", "publish_sealed", of.publish);
    add("deliver_call", "send_call", of.deliver_call);
    add("deliver_first", "send_first", of.deliver_first);
    add("deliver_next", "send_next", of.deliver_next);
  };
  direction(costs.from_wire, true);
  direction(costs.to_wire, false);
  const ThreadCosts& threads = costs.threads;
  named.push_back({"switch_thread", threads.switch_thread});
  named.push_back({"switch_above", threads.switch_above});
  named.push_back({"wake_same", threads.wake_same});
  named.push_back({"wake_other", threads.wake_other});
  named.push_back({"wake_up", threads.wake_up});
  named.push_back({"interrupt", threads.interrupt});
  named.push_back({"migration", threads.migration});
  return named;
}

}  // namespace tw::sim
