#include "wire/ip/ip_header.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "wire/ip/ip_packet.h"
#include "wire/ip/test_packet.h"

namespace tw {
namespace {

using test::Bytes;

constexpr std::array<std::uint8_t, 4> v4_source{10, 1, 2, 3}, v4_target{192, 168, 7, 9};
const Bytes v6_source(16, 0x20), v6_target(16, 0x3f);

// The header alone: what stood in its place before, and behind it, must not matter and must stay.
Bytes written(const IpHeader& header, std::size_t payload) {
  Bytes out(header.size() + 4, 0xee);
  write_ip_header(header, payload, out);
  EXPECT_TRUE(std::ranges::all_of(out.end() - 4, out.end(), [](int byte) { return byte == 0xee; }));
  out.resize(header.size());
  return out;
}

TEST(IpHeader, Ipv4AsRfc791DrawsIt) {
  Bytes out = written({.source = v4_source, .target = v4_target, .protocol = 6}, 20);
  EXPECT_EQ(test::naive_sum(out), 0xffffU);
  out[10] = out[11] = 0;
  EXPECT_EQ(out, (Bytes{0x45, 0, 0,  40, 0, 0, 0x40, 0,   64, 6,  //
                        0,    0, 10, 1,  2, 3, 192,  168, 7,  9}));
}

TEST(IpHeader, Ipv6AsRfc8200DrawsIt) {
  const Bytes out = written({.source = v6_source, .target = v6_target, .protocol = 58}, 0x1234);
  Bytes expected{0x60, 0, 0, 0, 0x12, 0x34, 58, 64};
  expected.insert(expected.end(), v6_source.begin(), v6_source.end());
  expected.insert(expected.end(), v6_target.begin(), v6_target.end());
  EXPECT_EQ(out, expected);
}

// Both ends of every field, as the parser reads them.
TEST(IpHeader, IsReadAsItWasWritten) {
  for (const bool v6 : {false, true}) {
    for (const std::size_t payload : {std::size_t{0}, std::size_t{1}, std::size_t{65515}}) {
      for (const std::uint8_t octet : Bytes{0x00, 0x01, 0xb8, 0xff}) {
        const IpHeader header{.source = v6 ? ByteView{v6_source} : ByteView{v4_source},
                              .target = v6 ? ByteView{v6_target} : ByteView{v4_target},
                              .protocol = static_cast<std::uint8_t>(octet | 1U),
                              .traffic_class = octet};
        Bytes packet = written(header, payload);
        if (!v6) {
          EXPECT_EQ(test::naive_sum(packet), 0xffffU);
        }
        packet.resize(header.size() + payload);
        const auto ip = IpPacketView::of(packet);
        ASSERT_TRUE(ip) << v6 << ' ' << payload;
        EXPECT_EQ(ip->version, v6 ? 6 : 4);
        EXPECT_EQ(ip->header_length, header.size());
        EXPECT_EQ(ip->total_length, packet.size());
        EXPECT_EQ(ip->protocol, header.protocol);
        EXPECT_EQ(ip->traffic_class, octet);
        EXPECT_FALSE(ip->fragment);
        EXPECT_TRUE(std::ranges::equal(ip->source, header.source));
        EXPECT_TRUE(std::ranges::equal(ip->target, header.target));
      }
    }
  }
}

}  // namespace
}  // namespace tw
