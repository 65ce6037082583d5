#include "node/tunnel/tun_queues.h"

#include <utility>

#include "base/log.h"
#include "machine/netlink/netlink.h"
#include "node/tunnel/tun_settings.h"
#include "port/udp/sockets.h"

namespace tw::node {

Result<TunQueues> TunQueues::open(const std::string& interface, std::uint32_t mtu,
                                  std::size_t count, const DeviceTuning& tuning) {
  const DeviceOffloads& wanted = tuning.offloads;
  TunOptions options;
  options.tcp_segmentation = wanted.tun_tcp;
  options.udp_segmentation = wanted.tun_udp;
  options.udp_tunnel_segmentation = wanted.tun_udp_tunnel;
  options.queues = count;
  options.mtu = mtu;
  Result<TunDevice> tun = open_tun(interface, options);
  if (!tun) return std::unexpected(tun.error());
  TunQueues made;
  made.interface_ = tun->name;
  made.ifindex_ = tun->ifindex;
  const auto& had = tun->offloads;
  if (wanted.tun_tcp && !had.tcp_segmentation) {
    log::warning("{}: this kernel's TUN has no TCP segmentation offload", made.interface_);
  }
  if (wanted.tun_udp && !had.udp_segmentation) {
    log::warning("{}: this kernel's TUN has no UDP segmentation offload (Linux 6.2)",
                 made.interface_);
  }
  // No warning: few kernels have it yet, and it is for tunnels inside this one only.
  made.gives_udp_tunnels_ = had.udp_tunnel_segmentation;
  if (wanted.tun_udp_tunnel && !made.gives_udp_tunnels_) {
    log::info("{}: this kernel's TUN has no trains inside UDP tunnels (Linux 6.17)",
              made.interface_);
  }
  quiet_tun(made.interface_);
  made.limit_trains(mtu);
  for (UniqueFd& fd : tun->queues) {
    made.ports_.push_back(std::make_unique<TunPort>(std::move(fd), tun->vnet_bytes));
    made.ports_.back()->take_only(had.tcp_segmentation, had.udp_segmentation);
  }
  made.limit_ = TunQueueLimit::set(made.interface_, made.fd(), count, tuning.queue_limit);
  for (std::size_t number = 0; number < count; ++number) {
    made.ports_[number]->set_queue(made.limit_.queue(number));
  }
  return made;
}

void TunQueues::limit_trains(std::uint32_t mtu) const {
  constexpr std::uint32_t most = 65'536;
  const std::uint32_t bytes = gives_udp_tunnels_ ? most : tun_gso_max_size(mtu);
  Result<Netlink> netlink = Netlink::open();
  const Result<void> limited = netlink ? netlink->links.set_gso_max_size(interface_, bytes)
                                       : Result<void>{std::unexpected(netlink.error())};
  if (!limited) log::warning("{}", limited.error().text());
}

}  // namespace tw::node
