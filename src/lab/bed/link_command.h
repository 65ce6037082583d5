// The command line of `lab_bed link`, by which Python's bench and tests make an emulated link.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/bed/link.h"

namespace tw::lab {

struct LinkCommand {
  static constexpr const char* usage =
      R"(lab_bed link NAMESPACE DEVICE NAMESPACE DEVICE RATE_MBPS RTT_US QUEUE_MS [OPTION=VALUE…]
Moves packets between a new device in each namespace. SIGUSR1: prints how many segments its queues
have dropped.

  --then-mbps=RATE              the rate from SIGUSR2 on; the queue stays as it is in bytes
Of one direction, --onward-… (from the first namespace) or --back-…:
  --back-loss-ppm=PARTS         chance of each segment to get lost, in parts per million
  --back-police-bytes=BUCKET    no queue: a token bucket, which drops what finds none
  --back-hold-us=LEAST-MOST     packets arrive in lumps, which are so far apart
)";

  std::string near_namespace, near_device, far_namespace, far_device;
  LinkDirections directions;
  std::uint64_t then_bps = 0;  ///< 0: the rate stays

  /// Reads the words after `link`. The error names the word that is wrong.
  static Result<LinkCommand> parse(const std::vector<std::string>& words);
};

}  // namespace tw::lab
