// A long-haul link between two namespaces: a TUN device in each, and between the two our emulated
// port, one thread a direction. This kernel has no netem; and a link that is our own code is
// seeded, counts what it loses, and keeps segmentation offload's trains whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "lab/bed/netns.h"
#include "port/emulated/emulated_port.h"

namespace tw::lab {

/// A link that is alike in both directions, as experiments ask for it.
struct LinkShape {
  Duration rtt = Duration::zero();
  std::uint64_t rate_bps = 1'000'000'000;  ///< each way, counted with IP headers; 0: unlimited
  Duration queue = std::chrono::milliseconds{50};  ///< of waiting at that rate, then tail drop
  double loss = 0;                                 ///< share of segments lost, each way
  std::uint64_t seed = 1;
};

/// A link whose directions may differ: `onward` is from the near end to the far one.
struct LinkDirections {
  LinkSettings onward, back;
};

/// Losses of the two directions differ. A queue holds 128 KB at least: a slow line still has to
/// take a whole train.
LinkDirections directions_of(const LinkShape& shape);

struct LinkEnd {
  const Namespace& host;
  std::string device;   ///< to be made there; gone with the link
  std::string address;  ///< "198.18.1.1/30"; "": the device is left down, for others to set up
};

class EmulatedLink {
 public:
  /// Makes both devices and starts moving packets. Devices with an address are up. Where real-time
  /// priority is refused (a container), packets move at an ordinary one.
  static Result<EmulatedLink> create(const LinkEnd& near, const LinkEnd& far,
                                     const LinkDirections& directions, Interrupt& interrupt);
  EmulatedLink(EmulatedLink&&) noexcept;
  EmulatedLink& operator=(EmulatedLink&&) = delete;
  ~EmulatedLink();  ///< stops both threads; the devices vanish

  /// Segments for which the queues of both directions had no room.
  std::uint64_t dropped() const noexcept;
  /// Changes the rate of both directions from the next segment on; see EmulatedPort::set_rate.
  void set_rate(std::uint64_t rate_bps) noexcept;

 private:
  struct Parts;
  explicit EmulatedLink(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tw::lab
