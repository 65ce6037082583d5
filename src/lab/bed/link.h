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

namespace tw::lab {

struct LinkShape {
  Duration rtt = Duration::zero();
  std::uint64_t rate_bps = 1'000'000'000;  ///< each way, counted with IP headers; 0: unlimited
  Duration queue = std::chrono::milliseconds{50};  ///< of waiting at that rate, then tail drop
  double loss = 0;                                 ///< share of segments lost, each way
  std::uint64_t seed = 1;
};

struct LinkEnd {
  const Namespace& host;
  std::string device;   ///< to be made there; gone with the link
  std::string address;  ///< "198.18.1.1/30"
};

class EmulatedLink {
 public:
  /// Makes both devices, up and addressed, and starts moving packets.
  static Result<EmulatedLink> create(const LinkEnd& near, const LinkEnd& far,
                                     const LinkShape& shape, Interrupt& interrupt);
  EmulatedLink(EmulatedLink&&) noexcept;
  EmulatedLink& operator=(EmulatedLink&&) = delete;
  ~EmulatedLink();  ///< stops both threads; the devices vanish

 private:
  struct Parts;
  explicit EmulatedLink(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tw::lab
