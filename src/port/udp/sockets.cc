#include "port/udp/sockets.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "wire/offload/vnet_header.h"
#include "wire/sockaddr.h"

namespace tw {
namespace {

constexpr unsigned tun_f_uso4 = 0x20;  // linux/if_tun.h has them from 6.2 on
constexpr unsigned tun_f_uso6 = 0x40;
constexpr unsigned tun_f_udp_tunnel_gso = 0x080;  // and these from 6.17 on
constexpr unsigned tun_f_udp_tunnel_gso_csum = 0x100;

Result<void> set_option(int fd, int level, int option, int value, const char* name) {
  if (::setsockopt(fd, level, option, &value, sizeof value) == 0) return {};
  return system_error(std::string{"setsockopt "} + name);
}

void force_buffer(int fd, int forced, int plain, std::size_t bytes) noexcept {
  const auto value = static_cast<int>(bytes);
  if (::setsockopt(fd, SOL_SOCKET, forced, &value, sizeof value) == 0) return;
  // Without CAP_NET_ADMIN the kernel cuts it to its own limit: a smaller buffer, not a failure.
  ::setsockopt(fd, SOL_SOCKET, plain, &value, sizeof value);
}

Result<void> set_udp_options(int fd, const UdpOptions& options) {
  const bool v6 = options.family == Family::v6;
  Result<void> done = set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1, "SO_RXQ_OVFL");
  if (done && v6) done = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
  if (done && v6) done = set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, "IPV6_RECVTCLASS");
  if (done && !v6) done = set_option(fd, IPPROTO_IP, IP_RECVTOS, 1, "IP_RECVTOS");
  if (done && options.receive_local && !options.address) {
    done = v6 ? set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO")
              : set_option(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
  }
  if (done && options.receive_age) {
    done = set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS");
  }
  if (done && options.reuse_port) {
    done = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  }
  if (done && options.fwmark != 0) done = set_fwmark(fd, options.fwmark);
  if (done && !v6) done = set_route_mtu(fd, false);
  if (!done) return done;
  const std::size_t send_bytes =
      options.send_buffer_bytes != 0 ? options.send_buffer_bytes : options.buffer_bytes;
  force_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.buffer_bytes);
  force_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, send_bytes);
  return {};
}

Result<std::uint16_t> bound_port(int fd) {
  SocketAddress local;
  local.length = sizeof local.storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local.storage), &local.length) != 0) {
    return system_error("getsockname");
  }
  const std::optional<Endpoint> endpoint = from_sockaddr(local.get(), local.length);
  if (!endpoint) return make_error(Error::Kind::system, "getsockname: not an IP address");
  return endpoint->port;
}

Result<void> check_tun_name(std::string_view name) {
  if (!name.empty() && name.size() < IFNAMSIZ && name.find('\0') == std::string_view::npos)
    return {};
  return make_error(Error::Kind::config,
                    "name of an interface must have 1 to 15 bytes: \"" + std::string{name} + '"');
}

Result<UniqueFd> attach_queue(ifreq& request, const std::string& name) {
  UniqueFd fd{::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)};
  if (!fd) return system_error("open /dev/net/tun");
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) return system_error("create TUN device " + name);
  return fd;
}

Result<void> set_vnet_bytes(int fd, std::size_t bytes) {
  int size = static_cast<int>(bytes);
  if (::ioctl(fd, TUNSETVNETHDRSZ, &size) == 0) return {};
  return system_error("TUNSETVNETHDRSZ");
}

// Asks for what is wanted, and without one after the other if the kernel is too old for it.
Result<TunOffloads> set_offloads(int fd, const TunOptions& options) {
  constexpr unsigned tcp = TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  constexpr unsigned udp = tun_f_uso4 | tun_f_uso6;
  constexpr unsigned udp_tunnel = tun_f_udp_tunnel_gso | tun_f_udp_tunnel_gso_csum;
  // The kernel has trains in tunnels only beside others.
  TunOffloads offloads{
      true, options.tcp_segmentation, options.udp_segmentation,
      options.udp_tunnel_segmentation && (options.tcp_segmentation || options.udp_segmentation)};
  const auto accepted = [&] {
    unsigned bits = TUN_F_CSUM;
    if (offloads.tcp_segmentation) bits |= tcp;
    if (offloads.udp_segmentation) bits |= udp;
    if (offloads.udp_tunnel_segmentation) bits |= udp_tunnel;
    return ::ioctl(fd, TUNSETOFFLOAD, static_cast<unsigned long>(bits)) == 0;
  };
  if (accepted()) return offloads;
  if (offloads.udp_tunnel_segmentation) {
    offloads.udp_tunnel_segmentation = false;  // before Linux 6.17
    if (accepted()) return offloads;
  }
  if (offloads.udp_segmentation) {
    offloads.udp_segmentation = false;  // before Linux 6.2
    if (accepted()) return offloads;
  }
  offloads.tcp_segmentation = false;
  if (accepted()) return offloads;
  return system_error("TUNSETOFFLOAD");
}

Result<void> prepare_queue(int fd, const TunOptions& options, TunDevice& device) {
  if (!options.vnet_header) return {};
  // The longer header first: with a shorter one the kernel would have nowhere to say what a train
  // in a tunnel is.
  if (Result<void> done = set_vnet_bytes(fd, VnetHeader::tunnel_size); !done) return done;
  const Result<TunOffloads> offloads = set_offloads(fd, options);
  if (!offloads) return std::unexpected(offloads.error());
  device.offloads = *offloads;
  device.vnet_bytes = VnetHeader::tunnel_size;
  if (offloads->udp_tunnel_segmentation) return {};
  device.vnet_bytes = VnetHeader::plain_size;
  return set_vnet_bytes(fd, device.vnet_bytes);
}

Result<void> set_mtu(int control, ifreq request, std::uint32_t mtu) {
  request.ifr_mtu = static_cast<int>(mtu);
  if (::ioctl(control, SIOCSIFMTU, &request) == 0) return {};
  return system_error("set MTU " + std::to_string(mtu));
}

}  // namespace

std::uint32_t tun_gso_max_size(std::uint32_t mtu) noexcept {
  // WireGuard adds 32 bytes to a segment; 40 of IPv4 and TCP are in each and once in the train.
  constexpr std::uint32_t overhead = 32, headers = 40, most = 65536, most_segments = 64;
  constexpr std::uint32_t send_max = 65'507;
  if (mtu <= headers || mtu + overhead > send_max) return most;
  const std::uint32_t segments = std::min(send_max / (mtu + overhead), most_segments);
  return std::min(segments * (mtu - headers) + headers, most);
}

Result<UdpSocket> open_udp(const UdpOptions& options) {
  const IpAddress any = options.family == Family::v6 ? IpAddress::v6({}) : IpAddress::v4({});
  const Endpoint local{options.address.value_or(any), options.port};
  const std::string what = "UDP socket " + local.text();
  const int domain = options.family == Family::v6 ? AF_INET6 : AF_INET;
  UniqueFd fd{::socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd) return system_error(what);
  const Result<void> set = set_udp_options(fd.get(), options);
  if (!set) return in_context(what, set.error());
  const int on = 1;
  const bool trains =
      options.receive_trains && ::setsockopt(fd.get(), SOL_UDP, UDP_GRO, &on, sizeof on) == 0;
  const SocketAddress address = to_sockaddr(local);
  if (::bind(fd.get(), address.get(), address.length) != 0) return system_error("bind " + what);
  const Result<std::uint16_t> port = bound_port(fd.get());
  if (!port) return in_context(what, port.error());
  return UdpSocket{std::move(fd), *port, trains};
}

Result<void> share_port(int fd) {
  return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
}

Result<void> set_fwmark(int fd, std::uint32_t fwmark) {
  if (::setsockopt(fd, SOL_SOCKET, SO_MARK, &fwmark, sizeof fwmark) == 0) return {};
  return system_error("setsockopt SO_MARK");
}

Result<void> set_route_mtu(int fd, bool obey) {
  const int mode = obey ? IP_PMTUDISC_DONT : IP_PMTUDISC_OMIT;
  return set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, mode, "IP_MTU_DISCOVER");
}

Result<TunDevice> open_tun(std::string_view name, const TunOptions& options) {
  if (const Result<void> valid = check_tun_name(name); !valid) {
    return std::unexpected(valid.error());
  }
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  int flags = IFF_TUN | IFF_NO_PI;
  if (options.vnet_header) flags |= IFF_VNET_HDR;
  if (options.queues > 1) flags |= IFF_MULTI_QUEUE;
  request.ifr_flags = static_cast<short>(flags);

  TunDevice device;
  for (std::size_t i = 0; i < options.queues; ++i) {
    // The first call writes the real name into the request, and the next ones join that device.
    Result<UniqueFd> queue = attach_queue(request, std::string{name});
    if (!queue) return std::unexpected(queue.error());
    const Result<void> ready = prepare_queue(queue->get(), options, device);
    if (!ready) return in_context("TUN device " + std::string{name}, ready.error());
    device.queues.push_back(std::move(*queue));
  }
  device.name = request.ifr_name;

  const UniqueFd control{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!control) return system_error("socket");
  if (options.mtu) {
    const Result<void> set = set_mtu(control.get(), request, *options.mtu);
    if (!set) return in_context("TUN device " + device.name, set.error());
  }
  if (::ioctl(control.get(), SIOCGIFINDEX, &request) != 0) {
    return system_error("index of TUN device " + device.name);
  }
  device.ifindex = request.ifr_ifindex;
  return device;
}

}  // namespace tw
