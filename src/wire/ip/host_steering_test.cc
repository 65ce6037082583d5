#include "wire/ip/host_steering.h"

#include <gtest/gtest.h>

#include <vector>

namespace tw {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes ipv4(std::uint8_t protocol, const Bytes& payload, std::uint16_t fragment = 0) {
  Bytes packet(20);
  packet.insert(packet.end(), payload.begin(), payload.end());
  packet[0] = 0x45;
  packet[3] = static_cast<std::uint8_t>(packet.size());
  packet[6] = static_cast<std::uint8_t>(fragment >> 8U);
  packet[7] = static_cast<std::uint8_t>(fragment);
  packet[9] = protocol;
  return packet;
}
Bytes ipv6(std::uint8_t next, const std::vector<Bytes>& parts) {
  Bytes packet(40);
  for (const Bytes& part : parts) packet.insert(packet.end(), part.begin(), part.end());
  packet[0] = 0x60;
  packet[4] = static_cast<std::uint8_t>((packet.size() - 40) >> 8U);
  packet[5] = static_cast<std::uint8_t>(packet.size() - 40);
  packet[6] = next;
  packet[7] = 255;
  return packet;
}
bool steers(const Bytes& packet) {
  const auto ip = IpPacketView::of(packet);
  return ip && steers_host(packet, *ip);
}

Bytes icmp(std::uint8_t type) { return {type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}; }
/// An extension header of `bytes`, followed by `next`.
Bytes extension(std::uint8_t next, std::size_t bytes = 8) {
  Bytes header(bytes);
  header[0] = next;
  header[1] = static_cast<std::uint8_t>(bytes / 8 - 1);
  return header;
}

TEST(HostSteering, KnowsWhatChangesTheHost) {
  for (unsigned type = 0; type < 256; ++type) {
    const auto octet = static_cast<std::uint8_t>(type);
    EXPECT_EQ(steers(ipv4(1, icmp(octet))), type == 5 || type == 9) << type;
    EXPECT_EQ(steers(ipv6(58, {icmp(octet)})), type == 134 || type == 137) << type;
    EXPECT_FALSE(steers(ipv4(17, icmp(octet))));
    EXPECT_FALSE(steers(ipv4(58, icmp(octet))));
    EXPECT_FALSE(steers(ipv6(17, {icmp(octet)})));
    EXPECT_FALSE(steers(ipv6(1, {icmp(octet)})));
  }
}

TEST(HostSteering, LooksBehindExtensionHeaders) {
  for (const std::uint8_t type : Bytes{134, 137}) {
    for (const std::uint8_t header : Bytes{0, 43, 60}) {
      EXPECT_TRUE(steers(ipv6(header, {extension(58), icmp(type)})));
      EXPECT_TRUE(steers(ipv6(header, {extension(58, 264), icmp(type)})));
      EXPECT_TRUE(
          steers(ipv6(header, {extension(60), extension(60, 16), extension(58), icmp(type)})));
    }
    std::vector<Bytes> many(100, extension(60));
    many.push_back(extension(58));
    many.push_back(icmp(type));
    EXPECT_TRUE(steers(ipv6(60, many)));
  }
  EXPECT_FALSE(steers(ipv6(60, {extension(58), icmp(128)})));
  EXPECT_FALSE(steers(ipv6(60, {extension(59), icmp(134)})));  // no next header
}

// A reassembled one must not come out of what was let through.
TEST(HostSteering, AFirstFragmentIsTakenForTheWhole) {
  EXPECT_TRUE(steers(ipv4(1, icmp(5), 0x2000)));
  EXPECT_FALSE(steers(ipv4(1, icmp(5), 0x2001)));
  EXPECT_TRUE(steers(ipv4(1, icmp(5), 0x4000)));  // only DF
  Bytes header{58, 0, 0, 1, 0, 0, 0, 7};
  EXPECT_TRUE(steers(ipv6(44, {header, icmp(134)})));
  header[3] = 9;  // eight bytes in
  EXPECT_FALSE(steers(ipv6(44, {header, icmp(134)})));
}

TEST(HostSteering, CutShortItSteersNobody) {
  const Bytes whole = ipv6(60, {extension(60), extension(58), icmp(134)});
  const auto ip = IpPacketView::of(whole);
  ASSERT_TRUE(ip);
  for (std::size_t size = 40; size < 40 + 24; ++size) {
    EXPECT_FALSE(steers_host(ByteView{whole}.first(size), *ip)) << size;
  }
}

}  // namespace
}  // namespace tw
