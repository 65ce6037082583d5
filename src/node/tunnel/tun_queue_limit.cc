#include "node/tunnel/tun_queue_limit.h"

#include <cstdint>
#include <utility>

#include "base/log.h"
#include "machine/netlink/netlink.h"

namespace tw::node {
namespace {

/// So long that bytes are what limits: some milliseconds even of the smallest packets.
constexpr std::uint32_t with_program_packets = 4096;
/// 2 ms of 64 KB packets at 10 Gbps.
constexpr std::uint32_t without_program_packets = 40;

/// A queueing discipline before the device's own queue holds nothing, as that one never says that
/// it is full; but it hides from a local TCP that a packet was turned away. Without one TCP keeps
/// the packet, slows down and sends it later: nothing is lost.
Result<void> make_queue(const std::string& interface, std::uint32_t packets) {
  Result<Netlink> netlink = Netlink::open();
  if (!netlink) return std::unexpected(netlink.error());
  if (Result<void> set = netlink->links.set_tx_queue(interface, packets); !set) return set;
  return netlink->links.remove_discipline(interface);
}

}  // namespace

TunQueueLimit TunQueueLimit::set(const std::string& interface, int tun_fd, std::size_t queues,
                                 Duration limit) {
  TunQueueLimit made;
  if (limit <= Duration::zero()) return made;
  Result<TunFilter> filter = TunFilter::load(queues);
  Result<void> attached;
  if (filter) {
    // Its first limit is set before the first packet meets the program.
    made.filter_ = std::make_unique<TunFilter>(std::move(*filter));
    for (std::size_t number = 0; number < queues; ++number) {
      made.queues_.push_back(std::make_unique<TunQueue>(made.filter_->queue(number), limit));
    }
    attached = made.filter_->attach(tun_fd);
  } else {
    attached = std::unexpected(filter.error());
  }
  if (!attached) {
    log::warning("{}: its queue is bounded in packets, not in time: {}", interface,
                 attached.error().text());
    made = {};
  }
  const auto packets = attached ? with_program_packets : without_program_packets;
  if (const Result<void> queued = make_queue(interface, packets); !queued) {
    log::warning("{}", queued.error().text());
  }
  made.in_packets_ = !attached;
  return made;
}

}  // namespace tw::node
