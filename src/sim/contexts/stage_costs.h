// The time that each step of the stages takes: the only numbers here that come from a machine.
// The same for all contexts, checked in, and printed with every run.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace tw::sim {

/// The steps of one direction through the gateway.
struct DirectionCosts {
  Duration receive_call{};    ///< a look at the sockets of a core
  Duration receive_packet{};  ///< each packet that it brings
  Duration cipher{};          ///< a data packet of 1,420 bytes
  Duration cipher_small{};    ///< an acknowledgement, or a request
  Duration publish{};         ///< from one stage to the next: rings, marks
  Duration deliver_call{};    ///< a deliver call, if it finds anything or not
  Duration deliver_first{};   ///< the first packet that it finds
  Duration deliver_next{};    ///< each further one: it leaves with the first
};

/// Threads and cores.
struct ThreadCosts {
  Duration switch_thread{};  ///< from one thread of a core to another
  Duration switch_above{};   ///< to what has the higher priority, and back
  Duration wake_same{};      ///< of the waker's time, if the woken one's core is awake
  Duration wake_other{};     ///< the same, if it sleeps and is another core
  Duration wake_up{};        ///< until a core that sleeps runs
  Duration interrupt{};      ///< the same, if packets wake it
  Duration migration{};      ///< of a thread that goes on on another core
};

struct StageCosts {
  std::string_view name;
  double scale = 1;  ///< with which the stages, not the threads, have been multiplied
  DirectionCosts from_wire{}, to_wire{};
  ThreadCosts threads{};
};

/// The kernel of paper P0: packets are handled one by one, and a call that finds five takes five
/// times as long (its section 3.3). The stages stand to each other as they do on our machine
/// without offloads, all multiplied with one factor that is fitted to one point: workqueue, 1,000
/// clients, receive, 18 Gbps. Threads cost what they do on one core here: nothing is virtual there.
inline constexpr double paper_scale = 3.1;
StageCosts paper_costs(double scale = paper_scale) noexcept;
/// This program on our machine, with trains: docs/results/tunnel.md, `bench_limits`.
StageCosts own_stage_costs() noexcept;

struct NamedCost {
  std::string_view name;
  Duration cost;
};
/// All of them by name, for reports.
std::vector<NamedCost> named_costs(const StageCosts& costs);

}  // namespace tw::sim
