#include "wire/ip/nesting.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace tw {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// `payload` behind a UDP header, in IPv4 or IPv6.
Bytes datagram(int version, std::uint8_t hops, const Bytes& payload, std::uint8_t protocol = 17,
               std::uint16_t fragment = 0) {
  const std::size_t header = version == 4 ? 20 : 40;
  Bytes packet(header + 8);
  packet.insert(packet.end(), payload.begin(), payload.end());
  const std::size_t length = version == 4 ? packet.size() : packet.size() - header;
  const std::size_t length_at = version == 4 ? 2 : 4;
  packet[0] = static_cast<std::uint8_t>(version == 4 ? 0x45 : 0x60);
  packet[length_at] = static_cast<std::uint8_t>(length >> 8U);
  packet[length_at + 1] = static_cast<std::uint8_t>(length);
  packet[version == 4 ? 9 : 6] = protocol;
  packet[version == 4 ? 8 : 7] = hops;
  if (version == 4) {
    packet[6] = static_cast<std::uint8_t>(fragment >> 8U);
    packet[7] = static_cast<std::uint8_t>(fragment);
  }
  return packet;
}

const Bytes transport_data{4, 0, 0, 0, 9, 9, 9, 9};

class NestingTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Versions, NestingTest, ::testing::Values(4, 6));

TEST_P(NestingTest, EveryMessageHandsOnWhatIsLeft) {
  for (std::uint8_t type = 1; type <= 4; ++type) {
    const Bytes message{type, 0, 0, 0};
    EXPECT_EQ(Nesting::of(datagram(GetParam(), 64, message)).hop_limit, 56);
    EXPECT_EQ(Nesting::of(datagram(GetParam(), 9, message)).hop_limit, 1);
    EXPECT_TRUE(Nesting::of(datagram(GetParam(), 8, message)).is_too_deep);
    EXPECT_TRUE(Nesting::of(datagram(GetParam(), 0, message)).is_too_deep);
  }
}

TEST_P(NestingTest, SoThatALoopEndsAfterEightTurns) {
  int turns = 0;
  for (std::uint8_t hops = 64;; ++turns) {
    const Nesting nesting = Nesting::of(datagram(GetParam(), hops, transport_data));
    if (nesting.is_too_deep) break;
    ASSERT_LT(nesting.hop_limit, hops);
    hops = nesting.hop_limit;
  }
  EXPECT_EQ(turns, 7);
}

// A traceroute through a tunnel counts the hops inside it alone.
TEST_P(NestingTest, WhatIsNoTunnelsIsNobodysBusiness) {
  for (const std::uint8_t hops : Bytes{1, 64}) {
    for (const Bytes& payload : {Bytes{}, Bytes{4, 0, 0}, Bytes{5, 0, 0, 0}, Bytes{0, 0, 0, 0},
                                 Bytes{4, 0, 0, 1}, Bytes{'D', 'N', 'S', '!'}}) {
      const Nesting nesting = Nesting::of(datagram(GetParam(), hops, payload));
      EXPECT_FALSE(nesting.is_too_deep);
      EXPECT_EQ(nesting.hop_limit, 0);
    }
    EXPECT_EQ(Nesting::of(datagram(GetParam(), hops, transport_data, 6)).hop_limit, 0);
    EXPECT_FALSE(Nesting::of(datagram(GetParam(), hops, transport_data, 1)).is_too_deep);
  }
}

// A message that was cut is still one, and only its first part looks like it.
TEST(Nesting, FragmentsOfUdpCount) {
  const Bytes rest(30, 0xee);
  EXPECT_EQ(Nesting::of(datagram(4, 64, rest, 17, 185)).hop_limit, 56);
  EXPECT_EQ(Nesting::of(datagram(4, 64, rest, 17, 0x2000)).hop_limit, 56);  // the first one
  EXPECT_EQ(Nesting::of(datagram(4, 64, rest, 17, 0x4000)).hop_limit, 0);   // only DF
  EXPECT_EQ(Nesting::of(datagram(4, 64, rest, 6, 185)).hop_limit, 0);
  Bytes six = datagram(6, 64, rest, 44);
  six[40] = 17;
  EXPECT_EQ(Nesting::of(six).hop_limit, 56);
  six[40] = 6;
  EXPECT_EQ(Nesting::of(six).hop_limit, 0);
}

TEST(Nesting, CutShortItIsNothing) {
  for (const int version : {4, 6}) {
    const Bytes whole = datagram(version, 3, transport_data);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(Nesting::of(ByteView{whole}.first(size)).is_too_deep) << version << ' ' << size;
    }
  }
}

}  // namespace
}  // namespace tw
