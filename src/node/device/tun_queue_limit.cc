#include "node/device/tun_queue_limit.h"

#include <linux/pkt_sched.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/tc.h>
#include <netlink/socket.h>

#include <cstdint>
#include <utility>

#include "base/log.h"
#include "node/machine/netlink.h"

namespace tw::node {
namespace {

/// So long that bytes are what limits: some milliseconds even of the smallest packets.
constexpr std::uint32_t with_program_packets = 4096;
/// 2 ms of 64 KB packets at 10 Gbps.
constexpr std::uint32_t without_program_packets = 40;

void set_length(const std::string& interface, std::uint32_t packets) {
  Result<Netlink> netlink = Netlink::open();
  const Result<void> set = netlink ? netlink->set_tx_queue(interface, packets)
                                   : Result<void>{std::unexpected(netlink.error())};
  if (!set) log::warning("{}", set.error().text());
}

struct Freed {
  void operator()(nl_sock* socket) const noexcept { nl_socket_free(socket); }
  void operator()(rtnl_qdisc* qdisc) const noexcept { rtnl_qdisc_put(qdisc); }
};

/// A queueing discipline before the device's own queue holds nothing, as that one never says that
/// it is full; but it hides from a local TCP that a packet was turned away. Without one TCP keeps
/// the packet, slows down and sends it later: nothing is lost.
void remove_discipline(const std::string& interface) {
  const std::unique_ptr<nl_sock, Freed> socket{nl_socket_alloc()};
  const std::unique_ptr<rtnl_qdisc, Freed> none{rtnl_qdisc_alloc()};
  int failed = socket && none ? nl_connect(socket.get(), NETLINK_ROUTE) : -NLE_NOMEM;
  if (failed == 0) {
    rtnl_tc* const place = TC_CAST(none.get());
    rtnl_tc_set_ifindex(place, static_cast<int>(::if_nametoindex(interface.c_str())));
    rtnl_tc_set_parent(place, TC_H_ROOT);
    failed = rtnl_tc_set_kind(place, "noqueue");
  }
  if (failed == 0) failed = rtnl_qdisc_add(socket.get(), none.get(), NLM_F_CREATE | NLM_F_REPLACE);
  if (failed != 0) log::warning("{}: qdisc noqueue: {}", interface, nl_geterror(failed));
}

}  // namespace

TunQueueLimit TunQueueLimit::set(const std::string& interface, int tun_fd, Duration limit) {
  TunQueueLimit made;
  if (limit <= Duration::zero()) return made;
  Result<TunFilter> filter = TunFilter::load();
  Result<void> attached;
  if (filter) {
    // Its first limit is set before the first packet meets the program.
    made.filter_ = std::make_unique<TunFilter>(std::move(*filter));
    made.queue_ = std::make_unique<TunQueue>(made.filter_->queue(), limit);
    attached = made.filter_->attach(tun_fd);
  } else {
    attached = std::unexpected(filter.error());
  }
  if (!attached) {
    log::warning("{}: its queue is bounded in packets, not in time: {}", interface,
                 attached.error().text());
    made = {};
  }
  set_length(interface, attached ? with_program_packets : without_program_packets);
  remove_discipline(interface);
  return made;
}

}  // namespace tw::node
