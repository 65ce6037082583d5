#include "port/udp/udp_control.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

namespace tw {
namespace {

using Bytes = std::vector<std::uint8_t>;

// A message that says it has `claimed` bytes.
template <typename T>
Bytes message(int level, int type, T value, std::size_t claimed = CMSG_LEN(sizeof(T))) {
  const cmsghdr header{.cmsg_len = claimed, .cmsg_level = level, .cmsg_type = type};
  Bytes bytes(CMSG_SPACE(sizeof value));
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + CMSG_LEN(0), &value, sizeof value);
  return bytes;
}
Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

TEST(UdpControl, ReadsWhatTheKernelSays) {
  in_pktinfo info{};
  info.ipi_ifindex = 7;
  info.ipi_spec_dst.s_addr = htonl(0x0a000001);
  const auto all = UdpControl::read(
      message(SOL_UDP, UDP_GRO, 1400) + message(IPPROTO_IP, IP_TOS, std::uint8_t{0xb9}) +
      message(IPPROTO_IP, IP_PKTINFO, info) + message(SOL_SOCKET, SO_RXQ_OVFL, std::uint32_t{5}) +
      message(SOL_SOCKET, SO_TIMESTAMPNS, timespec{3, 4}));
  EXPECT_EQ(all.segment_size, 1400U);
  EXPECT_EQ(all.traffic_class, 0xb9);
  EXPECT_EQ(all.local, (LocalAddress{IpAddress::v4({10, 0, 0, 1}), 7}));
  EXPECT_EQ(all.overflows, 5U);
  ASSERT_TRUE(all.arrived);
  EXPECT_EQ(all.arrived->tv_sec, 3);
  in6_pktinfo info6{};
  info6.ipi6_ifindex = 8;
  info6.ipi6_addr.s6_addr[15] = 1;
  const auto v6 = UdpControl::read(message(IPPROTO_IPV6, IPV6_TCLASS, 3) +
                                   message(IPPROTO_IPV6, IPV6_PKTINFO, info6));
  EXPECT_EQ(v6.traffic_class, 3);
  EXPECT_EQ(v6.local.ifindex, 8U);
  EXPECT_EQ(v6.local.address.text(), "::1");
}

TEST(UdpControl, ASizeThatIsNoneMeansOneDatagram) {
  for (const int size : {0, -1, INT32_MIN}) {
    EXPECT_EQ(UdpControl::read(message(SOL_UDP, UDP_GRO, size)).segment_size, 0U);
  }
}

// Neither is a value that is cut short taken for zero: five datagrams lost would look like as many
// as 32 bits can count, less five.
TEST(UdpControl, WhatIsTooShortForItsValueIsSkipped) {
  const auto told = UdpControl::read(
      message(SOL_SOCKET, SO_RXQ_OVFL, std::uint32_t{5}, CMSG_LEN(3)) +
      message(SOL_UDP, UDP_GRO, 7, CMSG_LEN(3)) + message(IPPROTO_IP, IP_TOS, std::uint8_t{1}));
  EXPECT_EQ(told.overflows, std::nullopt);
  EXPECT_EQ(told.segment_size, 0U);
  EXPECT_EQ(told.traffic_class, 1);
}

TEST(UdpControl, LengthsThatLeadNowhereEndIt) {
  const Bytes after = message(SOL_UDP, UDP_GRO, 7);
  for (const std::size_t claimed : {std::size_t{0}, CMSG_LEN(0) - 1}) {
    const auto bad = message(IPPROTO_IP, IP_TOS, std::uint8_t{1}, claimed);
    EXPECT_EQ(UdpControl::read(bad + after).segment_size, 0U) << claimed;
  }
  for (const std::size_t claimed : {std::size_t{1000}, SIZE_MAX, SIZE_MAX - 3}) {
    const Bytes bad = message(SOL_SOCKET, SO_RXQ_OVFL, std::uint32_t{1}, claimed);
    // An exact copy, so that ASan sees a read of the first byte behind it.
    const Bytes cut(bad.begin(), bad.begin() + CMSG_LEN(3));
    EXPECT_EQ(UdpControl::read(cut).overflows, std::nullopt) << claimed;
    EXPECT_EQ(UdpControl::read(bad + after).segment_size, 0U) << claimed;
  }
  for (std::size_t size = 0; size < CMSG_LEN(sizeof(int)); ++size) {
    EXPECT_EQ(UdpControl::read(Bytes(after.begin(), after.begin() + static_cast<long>(size)))
                  .segment_size,
              0U);
  }
}

}  // namespace
}  // namespace tw
