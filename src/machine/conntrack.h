// The kernel's table of tracked connections (ctnetlink, linux/netfilter/nfnetlink_conntrack.h), as
// far as a change of the policy needs it: the flows that are in it, and an end to some of them.
//
// A rule that lets established flows through judges a flow once. A flow whose entry is deleted is
// new to the rules with its next packet, from whichever side that comes. All other entries stay as
// they are, and so does their address translation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.h"
#include "wire/address.h"

struct nl_sock;

namespace tw {

/// A flow by its first packet, before any address translation. Protocols without ports have port 0.
struct TrackedFlow {
  Endpoint source, target;
  std::uint8_t protocol = 0;  ///< IPPROTO_…
};

/// Belongs to one thread; works on the network namespace that thread was in at open(). Needs
/// CAP_NET_ADMIN.
class Conntrack {
 public:
  using Judge = std::function<bool(const TrackedFlow&)>;

  static Result<Conntrack> open();

  /// Deletes the entry of each flow for which `ends` returns true; returns how many there were. The
  /// rules must refuse such flows by now. An entry that moves while the table is read may be missed
  /// once, so the table is read again until nothing is found. Fails if the kernel cannot list its
  /// table; entries may have been deleted by then. Takes about 1 µs for each entry of the table.
  Result<std::size_t> end_flows(const Judge& ends);

 private:
  struct Freed {
    void operator()(nl_sock* socket) const noexcept;
  };
  explicit Conntrack(std::unique_ptr<nl_sock, Freed> socket) noexcept;
  Result<std::size_t> end_flows_once(const Judge& ends);
  std::unique_ptr<nl_sock, Freed> socket_;
};

}  // namespace tw
