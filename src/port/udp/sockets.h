// The one place that opens UDP sockets and TUN devices. Ports get a descriptor handed in, so that a
// successor process can be handed the same ones, and the rest of the program needs no privileges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/address.h"

namespace tw {

struct UdpOptions {
  Family family = Family::v4;
  std::uint16_t port = 0;              ///< host order; 0: the kernel chooses
  std::optional<IpAddress> address{};  ///< to bind to, of `family`; none: all addresses
  std::uint32_t fwmark = 0;            ///< SO_MARK of what is sent; 0: none
  bool reuse_port = false;             ///< one of a group of sockets on one port
  /// Trains say which address they came to (Train::local). Not for one that is bound to one.
  bool receive_local = true;
  bool receive_trains = true;  ///< UDP_GRO, where the kernel has it
  bool receive_age = false;    ///< trains say how long they have waited (Train::age)
  /// The room for a burst while the worker is away, in each direction (a 25 Gbps link fills this in
  /// 2.5 ms); forced beyond the system's limit if privileges allow, else as much as it allows.
  std::size_t buffer_bytes = std::size_t{8} << 20U;
  std::size_t send_buffer_bytes = 0;  ///< of sending, where that differs; 0: as buffer_bytes
};

struct UdpSocket {
  UniqueFd fd;                   ///< non-blocking, close-on-exec; IPv6 sockets take IPv6 only
  std::uint16_t port = 0;        ///< the one it got, host order
  bool receives_trains = false;  ///< UDP_GRO was asked for and is there (Linux 5.0)
};

/// Fails if the port is in use, or the family, the mark or the address is refused.
Result<UdpSocket> open_udp(const UdpOptions& options);
/// Lets sockets that are opened with `reuse_port` join this one on its port, from now on. It is
/// opened without: else it would itself join whoever has the port, and not fail.
Result<void> share_port(int fd);
/// Changes the mark of a socket in use. 0 clears it.
Result<void> set_fwmark(int fd, std::uint32_t fwmark);

/// Takes an IPv4 socket; open_udp() chooses false. Datagrams leave without DF, so that a hop that
/// takes less cuts them, and no ICMP message can shorten them: whoever guesses two addresses can
/// forge "fragmentation needed" (RFC 5927, section 7), and it lasts ten minutes. The kernel looks
/// at the device's MTU alone then. With `obey` it cuts them for the MTU of the route as well, and
/// for what other sockets have learned, while this socket still learns nothing.
///
/// IPv6 has no such switch, as nobody on the way cuts there: a socket that believes nothing would
/// send into nothing. The kernel's own floor, 1,280 bytes, bounds what a forged message costs.
Result<void> set_route_mtu(int fd, bool obey);

struct TunOptions {
  bool vnet_header = true;       ///< packets carry offloads: trains of up to 64 KB
  bool tcp_segmentation = true;  ///< with a vnet header: take TCP trains from the kernel
  bool udp_segmentation = true;  ///< the same for UDP
  /// The same for either inside a UDP tunnel, as VXLAN makes them. Trains of this kind cannot be
  /// written to a TUN (port/tun/tun_port.h), so not where packets are handed on from one to
  /// another.
  bool udp_tunnel_segmentation = false;
  std::size_t queues = 1;              ///< made here once: detaching one renumbers the others
  std::optional<std::uint32_t> mtu{};  ///< bytes; none: the kernel's default of 1500
};

/// The work that the kernel may leave to us: TUN_F_… bits that it accepted.
struct TunOffloads {
  bool checksum = false;                 ///< checksums left to us
  bool tcp_segmentation = false;         ///< TCP packets longer than the MTU
  bool udp_segmentation = false;         ///< the same for UDP (Linux 6.2)
  bool udp_tunnel_segmentation = false;  ///< the same inside a UDP tunnel (Linux 6.17)
};

/// The longest packet of a TUN, IP header included, whose segments still fit one UDP_SEGMENT send
/// once each has its WireGuard header and tag: what gso_max_size should be. `mtu` in bytes, of the
/// TUN; 65,536, the kernel's own limit, for an MTU so small that the number of segments is what
/// limits.
std::uint32_t tun_gso_max_size(std::uint32_t mtu) noexcept;

/// The device is not persistent: it goes when the last queue is closed.
struct TunDevice {
  std::vector<UniqueFd> queues;  ///< non-blocking, close-on-exec
  std::string name;              ///< the real one: "tun%d" becomes "tun0"
  int ifindex = 0;
  std::size_t vnet_bytes = 0;  ///< of the header before each packet; 0 if it has none
  TunOffloads offloads;
};

/// Fails without CAP_NET_ADMIN or /dev/net/tun, if the name is taken or not a name. The device is
/// down and without addresses: configuring it is the caller's.
Result<TunDevice> open_tun(std::string_view name, const TunOptions& options);

}  // namespace tw
