#include "lab/clients/flood.h"

#include <gtest/gtest.h>

#include <set>

#include "lab/clients/keys.h"
#include "wg/cookie.h"
#include "wire/ip/ip_packet.h"
#include "wire/ip/transport.h"
#include "wire/message/wg_message.h"

namespace tw::lab {
namespace {

crypto::PublicKey target() { return crypto::public_key_of(target_key(1)); }

bool mac1_valid(ByteView datagram) {
  wg::CookieChecker checker;
  checker.set_public_key(target());
  const auto view = WgInitiationView::of(datagram);
  return view && checker.mac1_valid(view->before_mac1, view->mac1);
}

// Each kind must get as far into the target as its name says, and no further.
TEST(FloodWriter, WritesInitiationsWithoutAValidMac) {
  FloodWriter writer{FloodKind::bad_mac1, target(), 1};
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(classify(writer.datagram(i)), WgType::initiation);
    EXPECT_FALSE(mac1_valid(writer.datagram(i)));
  }
}

TEST(FloodWriter, WritesInitiationsWithAValidMac) {
  FloodWriter writer{FloodKind::spoofed, target(), 1};
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_TRUE(mac1_valid(writer.datagram(i)));
}

TEST(FloodWriter, WritesDataForManyIndices) {
  FloodWriter writer{FloodKind::random_index, target(), 1};
  std::set<std::uint32_t> indices;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const ByteView datagram = writer.datagram(i);
    ASSERT_EQ(classify(datagram), WgType::data);
    std::vector<std::uint8_t> copy(datagram.begin(), datagram.end());
    indices.insert(WgDataView::of(copy).receiver_index);
  }
  EXPECT_GT(indices.size(), 95U);
}

TEST(SpoofedHeaders, AreThoseOfADatagram) {
  std::vector<std::uint8_t> packet(spoofed_header_size + 100);
  write_spoofed_headers(packet, *Endpoint::parse("198.18.3.4:4000"),
                        *Endpoint::parse("192.0.2.1:51820"), 100);
  const auto ip = IpPacketView::of(packet);
  ASSERT_TRUE(ip);
  EXPECT_EQ(IpAddress::from_bytes(ip->source).text(), "198.18.3.4");
  EXPECT_EQ(IpAddress::from_bytes(ip->target).text(), "192.0.2.1");
  const auto udp = UdpView::of(packet, *ip);
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->target_port, 51820);
  EXPECT_EQ(udp->payload.size(), 100U);
}

}  // namespace
}  // namespace tw::lab
