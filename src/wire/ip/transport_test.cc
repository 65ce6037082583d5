#include "wire/ip/transport.h"

#include <gtest/gtest.h>

#include <array>

#include "wire/ip/test_packet.h"

namespace tw {
namespace {

using test::Bytes;
using test::Train;

std::optional<TcpView> tcp_of(const Bytes& packet) {
  const auto ip = IpPacketView::of(packet);
  return ip ? TcpView::of(packet, *ip) : std::nullopt;
}
std::optional<UdpView> udp_of(const Bytes& packet) {
  const auto ip = IpPacketView::of(packet);
  return ip ? UdpView::of(packet, *ip) : std::nullopt;
}

TEST(TcpView, ReadsItsFieldsInBothFamilies) {
  for (const bool v6 : {false, true}) {
    for (const std::size_t ip_options : {std::size_t{0}, std::size_t{8}}) {
      Train train{.v6 = v6, .ip_options = ip_options, .tcp_options = 12, .flags = 0x12};
      train.payload = Bytes(33, 0xaa);
      const Bytes packet = train.packet(0, 1, true);
      const auto tcp = tcp_of(packet);
      ASSERT_TRUE(tcp);
      EXPECT_EQ(tcp->source_port, 40000);
      EXPECT_EQ(tcp->target_port, 443);
      EXPECT_EQ(tcp->sequence, 1000U);
      EXPECT_EQ(tcp->acknowledgement, 0x12345678U);
      EXPECT_EQ(tcp->flags, TcpView::syn | TcpView::ack);
      EXPECT_EQ(tcp->window, 501);
      EXPECT_EQ(tcp->offset, train.transport());
      EXPECT_EQ(tcp->options.size(), 12U);
      EXPECT_EQ(tcp->options[1], 1);
      EXPECT_EQ(tcp->payload.data(), packet.data() + train.headers());
      EXPECT_EQ(tcp->payload.size(), 33U);
      EXPECT_FALSE(udp_of(packet));
    }
  }
}

TEST(TcpView, PaddingIsNoPayload) {
  Train train;
  train.payload = Bytes(3, 1);
  Bytes packet = train.packet(0, 1, true);
  packet.resize(packet.size() + 17);
  EXPECT_EQ(tcp_of(packet)->payload.size(), 3U);
}

TEST(TcpView, RefusesAHeaderThatDoesNotFit) {
  Train train;
  train.payload = Bytes(4, 1);
  Bytes packet = train.packet(0, 1, true);
  const std::uint8_t right = packet[32];
  for (unsigned words = 0; words < 16; ++words) {
    packet[32] = static_cast<std::uint8_t>(words << 4U);
    EXPECT_EQ(tcp_of(packet).has_value(), words == 5 || words == 6) << words;
  }
  packet[32] = right;
  for (std::uint8_t total = 20; total < 40; ++total) {  // the IP length cuts the TCP header
    packet[3] = total;
    EXPECT_FALSE(tcp_of(packet));
  }
}

TEST(TcpView, FragmentsHaveNone) {
  Train train;
  train.payload = Bytes(100, 1);
  Bytes packet = train.packet(0, 1, true);
  packet[6] = 0x20;  // more fragments
  EXPECT_FALSE(tcp_of(packet));
  packet[6] = 0;
  packet[7] = 1;  // offset
  EXPECT_FALSE(tcp_of(packet));
  packet[7] = 0;
  EXPECT_TRUE(tcp_of(packet));
  packet[6] = 0x40;  // do not fragment
  EXPECT_TRUE(tcp_of(packet));
}

TEST(TransportPlace, StepsOverV6OptionsThatFitAndNothingElse) {
  Train train{.v6 = true, .ip_options = 16};
  train.payload = Bytes(100, 1);
  const Bytes packet = train.packet(0, 1, true);
  for (const std::uint8_t first :
       std::array<std::uint8_t, 2>{0, 60}) {  // hop-by-hop, destination options
    Bytes changed = packet;
    changed[6] = first;
    EXPECT_TRUE(tcp_of(changed));
  }
  for (const std::uint8_t first :
       std::array<std::uint8_t, 3>{43, 44, 51}) {  // routing, fragment, authentication
    Bytes changed = packet;
    changed[6] = first;
    EXPECT_FALSE(tcp_of(changed));
  }
  Bytes changed = packet;
  changed[41] = 255;  // longer than the packet
  EXPECT_FALSE(tcp_of(changed));
  changed = packet;
  changed[40] = 43;  // a routing header behind it
  EXPECT_FALSE(tcp_of(changed));
}

TEST(TransportPlace, BoundsTheChainOfV6Options) {
  // A packet of nothing but destination options of 8 bytes, in a chain.
  Train train{.v6 = true};
  train.payload = Bytes(1000, 0);
  Bytes packet = train.packet(0, 1, true);
  packet[6] = 60;
  for (std::size_t at = 40; at + 8 <= packet.size(); at += 8) {
    packet[at] = 60;
    packet[at + 1] = 0;
  }
  const auto ip = IpPacketView::of(packet);
  EXPECT_FALSE(TransportPlace::of(packet, *ip));
  packet[40 + 248] = 6;  // the last of 256 bytes
  EXPECT_EQ(TransportPlace::of(packet, *ip)->offset, 40 + 256);
}

TEST(UdpView, TakesTheLengthOfItsHeader) {
  Train train{.tcp = false};
  train.payload = Bytes(20, 5);
  Bytes packet = train.packet(0, 1, true);
  const auto udp = udp_of(packet);
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->source_port, 40000);
  EXPECT_EQ(udp->target_port, 443);
  EXPECT_EQ(udp->payload.size(), 20U);
  EXPECT_FALSE(tcp_of(packet));
  for (std::uint8_t length = 0; length < 40; ++length) {
    packet[25] = length;
    const auto changed = udp_of(packet);
    EXPECT_EQ(changed.has_value(), length >= 8 && length <= 28) << int{length};
    if (changed) {
      EXPECT_EQ(changed->payload.size(), length - 8U);
    }
  }
}

}  // namespace
}  // namespace tw
