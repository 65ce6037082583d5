#include "port/udp/udp_control.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace tw {
namespace {

// Where a message's value begins; its cmsg_len counts from the beginning of its header.
constexpr std::size_t value_offset = CMSG_LEN(0);

template <typename T>
std::optional<T> value_of(ByteView value) noexcept {
  if (value.size() < sizeof(T)) return std::nullopt;
  T read;
  std::memcpy(&read, value.data(), sizeof read);
  return read;
}

LocalAddress local_of(const in_pktinfo& info) noexcept {
  std::array<std::uint8_t, 4> octets{};
  std::memcpy(octets.data(), &info.ipi_spec_dst, octets.size());
  return {IpAddress::v4(octets), static_cast<std::uint32_t>(info.ipi_ifindex)};
}
LocalAddress local_of(const in6_pktinfo& info) noexcept {
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), &info.ipi6_addr, octets.size());
  return {IpAddress::v6(octets), info.ipi6_ifindex};
}

// An int of the kernel's that is a size or a class.
template <typename T>
void take_int(ByteView value, T& into) noexcept {
  const auto read = value_of<int>(value);
  if (read && *read > 0) into = static_cast<T>(*read);
}

void take(UdpControl& control, int level, int type, ByteView value) noexcept {
  if (level == SOL_UDP && type == UDP_GRO) {
    take_int(value, control.segment_size);
  } else if (level == IPPROTO_IP && type == IP_TOS) {
    if (const auto tos = value_of<std::uint8_t>(value)) control.traffic_class = *tos;
  } else if (level == IPPROTO_IPV6 && type == IPV6_TCLASS) {
    take_int(value, control.traffic_class);
  } else if (level == IPPROTO_IP && type == IP_PKTINFO) {
    if (const auto info = value_of<in_pktinfo>(value)) control.local = local_of(*info);
  } else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO) {
    if (const auto info = value_of<in6_pktinfo>(value)) control.local = local_of(*info);
  } else if (level == SOL_SOCKET && type == SO_TIMESTAMPNS) {
    if (const auto time = value_of<timespec>(value)) control.arrived = time;
  } else if (level == SOL_SOCKET && type == SO_RXQ_OVFL) {
    if (const auto total = value_of<std::uint32_t>(value)) control.overflows = total;
  }
}

}  // namespace

UdpControl UdpControl::read(ByteView control) noexcept {
  UdpControl all;
  while (control.size() >= value_offset) {
    cmsghdr header;
    std::memcpy(&header, control.data(), sizeof header);
    if (header.cmsg_len < value_offset) break;
    const std::size_t length = std::min<std::size_t>(header.cmsg_len, control.size());
    take(all, header.cmsg_level, header.cmsg_type,
         control.subspan(value_offset, length - value_offset));
    // Lengths are padded, but for the last one's.
    control = control.subspan(std::min(CMSG_ALIGN(length), control.size()));
  }
  return all;
}

}  // namespace tw
