// For the tests of what changes the machine: a network namespace of the test's own, TUN devices
// whose wire the test holds in its hand, and the packets to put on it. Needs root; tests skip
// themselves without it. Nothing here is part of the node.
#pragma once

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "machine/netlink/netlink.h"
#include "wire/address.h"
#include "wire/checksum.h"
#include "wire/ip/ip_packet.h"

namespace tw::node::testing {

using Packet = std::vector<std::uint8_t>;

/// While it lives, this thread is in a new network namespace with lo up. entered() is false without
/// the right to make one.
class ScratchNamespace {
 public:
  ScratchNamespace() : home_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    entered_ = ::geteuid() == 0 && home_ && ::unshare(CLONE_NEWNET) == 0;
    if (!entered_) return;
    if (auto netlink = Netlink::open()) static_cast<void>(netlink->links.set_up("lo", true));
  }
  ScratchNamespace(const ScratchNamespace&) = delete;
  ScratchNamespace& operator=(const ScratchNamespace&) = delete;
  ~ScratchNamespace() {
    if (entered_ && ::setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
  }
  bool entered() const noexcept { return entered_; }

 private:
  UniqueFd home_;
  bool entered_ = false;
};

/// A TUN device, down and without addresses, that goes with this object.
class ScratchTun {
 public:
  explicit ScratchTun(const std::string& name)
      : file_(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)) {
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    if (!file_ || ::ioctl(file_.get(), TUNSETIFF, &request) != 0) file_.reset();
  }
  bool opened() const noexcept { return static_cast<bool>(file_); }
  int fd() const noexcept { return file_.get(); }

  /// As if it had arrived by the device.
  bool inject(const Packet& packet) const {
    return ::write(file_.get(), packet.data(), packet.size()) ==
           static_cast<ssize_t>(packet.size());
  }
  /// Returns a packet that the kernel has sent by the device, if there is one by then.
  std::optional<Packet> take() const {
    Packet packet(65536);
    const ssize_t size = ::read(file_.get(), packet.data(), packet.size());
    if (size < 0) return {};
    packet.resize(static_cast<std::size_t>(size));
    return packet;
  }

 private:
  UniqueFd file_;
};

struct Flow {
  IpAddress source, target;
  std::uint8_t protocol = 6;
  std::uint16_t source_port = 0, target_port = 0;  ///< ICMP echo: identifier, and nothing
};

inline void put16(Packet& packet, std::size_t at, std::uint16_t value) {
  packet[at] = static_cast<std::uint8_t>(value >> 8U);
  packet[at + 1] = static_cast<std::uint8_t>(value);
}
inline std::uint16_t get16(ByteView packet, std::size_t at) {
  return at + 2 > packet.size() ? std::uint16_t{0}
                                : static_cast<std::uint16_t>(packet[at] << 8U | packet[at + 1]);
}
inline void put32(Packet& packet, std::size_t at, std::uint32_t value) {
  put16(packet, at, static_cast<std::uint16_t>(value >> 16U));
  put16(packet, at + 2, static_cast<std::uint16_t>(value));
}
inline std::uint32_t get32(ByteView packet, std::size_t at) {
  return static_cast<std::uint32_t>(get16(packet, at)) << 16U | get16(packet, at + 2);
}

/// An IP packet around a transport header whose checksum, at `checksum_at`, is still to be made
/// (over the pseudo-header too, unless it is ICMPv4).
inline Packet in_ip(const Flow& flow, Packet transport, std::optional<std::size_t> checksum_at) {
  const ByteView source = flow.source.bytes(), target = flow.target.bytes();
  if (checksum_at) {
    InternetSum sum;
    if (flow.protocol != 1) {
      sum = pseudo_header_sum(source, target, flow.protocol,
                              static_cast<std::uint32_t>(transport.size()));
    }
    sum.add(transport);
    put16(transport, *checksum_at, sum.checksum());
  }
  const bool v4 = flow.source.is_v4();
  Packet packet(v4 ? 20 : 40);
  packet[0] = v4 ? 0x45 : 0x60;
  if (v4) {
    put16(packet, 2, static_cast<std::uint16_t>(20 + transport.size()));
    packet[8] = 64;
    packet[9] = flow.protocol;
    std::copy(source.begin(), source.end(), packet.begin() + 12);
    std::copy(target.begin(), target.end(), packet.begin() + 16);
    InternetSum sum;
    sum.add(packet);
    put16(packet, 10, sum.checksum());
  } else {
    put16(packet, 4, static_cast<std::uint16_t>(transport.size()));
    packet[6] = flow.protocol;
    packet[7] = 64;
    std::copy(source.begin(), source.end(), packet.begin() + 8);
    std::copy(target.begin(), target.end(), packet.begin() + 24);
  }
  packet.insert(packet.end(), transport.begin(), transport.end());
  return packet;
}

struct Segment {
  std::uint8_t flags = 0x02;  ///< SYN
  std::uint32_t sequence = 1000, acknowledgement = 0;
  std::uint16_t mss = 0;  ///< 0: without the option
};

inline Packet tcp_packet(const Flow& flow, const Segment& segment, std::size_t payload = 0) {
  const std::size_t header = segment.mss == 0 ? 20 : 24;
  Packet tcp(header + payload);
  put16(tcp, 0, flow.source_port);
  put16(tcp, 2, flow.target_port);
  put32(tcp, 4, segment.sequence);
  put32(tcp, 8, segment.acknowledgement);
  tcp[12] = static_cast<std::uint8_t>(header / 4 << 4U);
  tcp[13] = segment.flags;
  put16(tcp, 14, 65000);
  if (segment.mss != 0) {
    tcp[20] = 2;
    tcp[21] = 4;
    put16(tcp, 22, segment.mss);
  }
  return in_ip(flow, std::move(tcp), 16);
}

/// Returns the packet that opens the flow: a SYN, a datagram, an echo request, or eight bytes of
/// another protocol.
inline Packet first_packet(const Flow& flow) {
  if (flow.protocol == 6) return tcp_packet(flow, {});
  Packet transport(8);
  if (flow.protocol == 17) {
    put16(transport, 0, flow.source_port);
    put16(transport, 2, flow.target_port);
    put16(transport, 4, 8);
    return in_ip(flow, std::move(transport), 6);
  }
  if (flow.protocol == 1 || flow.protocol == 58) {
    transport[0] = flow.protocol == 1 ? 8 : 128;
    put16(transport, 4, flow.source_port);
    return in_ip(flow, std::move(transport), 2);
  }
  return in_ip(flow, std::move(transport), {});
}

/// The addresses, protocol and ports of a packet; ports 0 where there are none.
inline std::optional<Flow> flow_of(ByteView packet) {
  const auto ip = IpPacketView::of(packet);
  if (!ip) return {};
  Flow flow{IpAddress::from_bytes(ip->source), IpAddress::from_bytes(ip->target), ip->protocol};
  const ByteView transport = packet.subspan(ip->header_length);
  if (flow.protocol == 6 || flow.protocol == 17) {
    flow.source_port = get16(transport, 0);
    flow.target_port = get16(transport, 2);
  } else if (flow.protocol == 1 || flow.protocol == 58) {
    flow.source_port = get16(transport, 4);
  }
  return flow;
}

inline ByteView transport_of(ByteView packet) {
  const auto ip = IpPacketView::of(packet);
  return ip ? packet.subspan(ip->header_length) : ByteView{};
}

}  // namespace tw::node::testing
