// Round trips by ICMP echo: what a link really does, beside what it was asked for. Like ping, but
// it does not round 215.04 ms to 215, and knows every sample.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "lab/bed/netns.h"

namespace tw::lab {

struct EchoTarget {
  const Namespace& from;
  std::string address;  ///< IPv4
};

inline constexpr std::size_t echo_count = 50;  ///< 20 ms apart

/// Sends echo_count echoes to every target, to all at the same time. Each one's round trips in ms,
/// in the order of targets; an error if a target answers none.
Result<std::vector<std::vector<double>>> measure_round_trips(const std::vector<EchoTarget>& targets,
                                                             Interrupt& interrupt);

}  // namespace tw::lab
