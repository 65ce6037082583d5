#include "wire/ip/ip_packet.h"

#include <gtest/gtest.h>

#include <vector>

namespace tw {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes v4_packet(std::uint16_t total, std::uint8_t words = 5) {
  Bytes bytes(total, 0xee);
  bytes[0] = static_cast<std::uint8_t>(0x40U | words);
  bytes[1] = 0xb9;  // EF, ECT(1)
  bytes[2] = static_cast<std::uint8_t>(total >> 8U);
  bytes[3] = static_cast<std::uint8_t>(total);
  bytes[9] = 17;
  for (std::uint8_t i = 0; i < 8; ++i) bytes[12 + i] = i;
  return bytes;
}

Bytes v6_packet(std::uint16_t payload) {
  Bytes bytes(40U + payload, 0xee);
  bytes[0] = 0x6b;
  bytes[1] = 0x9f;
  bytes[4] = static_cast<std::uint8_t>(payload >> 8U);
  bytes[5] = static_cast<std::uint8_t>(payload);
  bytes[6] = 6;
  return bytes;
}

TEST(IpPacketView, ReadsV4) {
  const Bytes bytes = v4_packet(100, 7);
  const auto view = IpPacketView::of(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->version, 4);
  EXPECT_EQ(view->traffic_class, 0xb9);
  EXPECT_EQ(view->header_length, 28);
  EXPECT_EQ(view->total_length, 100U);
  EXPECT_EQ(view->protocol, 17);
  EXPECT_EQ(view->source.data(), bytes.data() + 12);
  EXPECT_EQ(view->source.size(), 4U);
  EXPECT_EQ(view->target.data(), bytes.data() + 16);
}

TEST(IpPacketView, ReadsV6) {
  const Bytes bytes = v6_packet(300);
  const auto view = IpPacketView::of(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->version, 6);
  EXPECT_EQ(view->traffic_class, 0xb9);
  EXPECT_EQ(view->header_length, 40);
  EXPECT_EQ(view->total_length, 340U);
  EXPECT_EQ(view->protocol, 6);
  EXPECT_EQ(view->source.data(), bytes.data() + 8);
  EXPECT_EQ(view->target.data(), bytes.data() + 24);
  EXPECT_EQ(view->target.size(), 16U);
}

TEST(IpPacketView, BytesBeyondTheLengthArePadding) {
  Bytes v4 = v4_packet(60);
  Bytes v6 = v6_packet(10);
  v4.resize(80);
  v6.resize(64);
  EXPECT_EQ(IpPacketView::of(v4)->total_length, 60U);
  EXPECT_EQ(IpPacketView::of(v6)->total_length, 50U);
}

TEST(IpPacketView, RefusesEveryTruncation) {
  for (const Bytes& whole : {v4_packet(60), v6_packet(20)}) {
    ASSERT_TRUE(IpPacketView::of(whole));
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
      const Bytes part(whole.begin(), whole.begin() + static_cast<long>(cut));
      EXPECT_FALSE(IpPacketView::of(part)) << cut;
    }
  }
}

TEST(IpPacketView, RefusesHeadersThatDoNotFit) {
  EXPECT_FALSE(IpPacketView::of(v4_packet(60, 4)));   // header shorter than the least
  EXPECT_FALSE(IpPacketView::of(v4_packet(40, 15)));  // header longer than the packet
  EXPECT_TRUE(IpPacketView::of(v4_packet(60, 15)));
  Bytes short_total = v4_packet(60);
  short_total[3] = 19;
  EXPECT_FALSE(IpPacketView::of(short_total));
}

TEST(IpPacketView, RefusesOtherVersions) {
  for (std::uint8_t version = 0; version < 16; ++version) {
    if (version == 4 || version == 6) continue;
    Bytes bytes = v6_packet(20);
    bytes[0] = static_cast<std::uint8_t>(version << 4U);
    EXPECT_FALSE(IpPacketView::of(bytes));
  }
}

TEST(IpPacketView, RefusesJumbograms) {
  Bytes bytes = v6_packet(0);
  bytes[6] = 0;  // hop-by-hop options follow, where a jumbo length would be
  EXPECT_FALSE(IpPacketView::of(bytes));
  bytes[6] = 59;  // no next header: an empty packet
  EXPECT_TRUE(IpPacketView::of(bytes));
}

}  // namespace
}  // namespace tw
