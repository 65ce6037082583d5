#include "wire/ip/icmp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "wire/ip/ip_packet.h"
#include "wire/ip/test_packet.h"

namespace tw {
namespace {

using test::Bytes;

constexpr Undelivered no_way{};
constexpr Undelivered too_big{Undelivered::Why::too_big, 1400};

Bytes answer(const Bytes& packet, const Undelivered& reason = no_way) {
  Bytes out(icmp_error_max);
  out.resize(icmp_undelivered(packet, reason, out));
  return out;
}
bool refused(const Bytes& packet) {
  return answer(packet).empty() && answer(packet, too_big).empty();
}

Bytes udp4(std::size_t payload = 100) {
  test::Train train{.tcp = false};
  train.payload.resize(payload, 0x5a);
  train.gso_size = 65000;
  return train.packet(0, 1, true);
}
Bytes udp6(std::size_t payload = 100) {
  test::Train train{.v6 = true, .tcp = false};
  train.payload.resize(payload, 0x5a);
  train.gso_size = 65000;
  return train.packet(0, 1, true);
}
Bytes with(Bytes packet, std::size_t offset, const Bytes& bytes) {
  std::ranges::copy(bytes, packet.begin() + static_cast<long>(offset));
  return packet;
}
Bytes part(const Bytes& bytes, std::size_t begin, std::size_t end) {
  return {bytes.begin() + static_cast<long>(begin), bytes.begin() + static_cast<long>(end)};
}

TEST(IcmpUndelivered, AnswersIpv4AsTheTargetWould) {
  const Bytes packet = udp4();
  const Bytes out = answer(packet);
  ASSERT_EQ(out.size(), 28 + packet.size());
  const std::optional<IpPacketView> ip = IpPacketView::of(out);
  ASSERT_TRUE(ip);
  EXPECT_EQ(ip->total_length, out.size());
  EXPECT_EQ(ip->protocol, protocol_icmp4);
  EXPECT_EQ(part(out, 12, 16), part(packet, 16, 20));
  EXPECT_EQ(part(out, 16, 20), part(packet, 12, 16));
  EXPECT_EQ(test::naive_sum(part(out, 0, 20)), 0xffffU);
  EXPECT_EQ(test::naive_sum(part(out, 20, out.size())), 0xffffU);
  EXPECT_EQ(part(out, 20, 22), (Bytes{3, 1}));
  EXPECT_EQ(part(out, 24, 28), (Bytes{0, 0, 0, 0}));
  EXPECT_EQ(part(out, 28, out.size()), packet);
}

TEST(IcmpUndelivered, AnswersIpv6AsTheTargetWould) {
  const Bytes packet = udp6();
  const Bytes out = answer(packet);
  ASSERT_EQ(out.size(), 48 + packet.size());
  const std::optional<IpPacketView> ip = IpPacketView::of(out);
  ASSERT_TRUE(ip);
  EXPECT_EQ(ip->total_length, out.size());
  EXPECT_EQ(ip->protocol, protocol_icmp6);
  EXPECT_EQ(part(out, 8, 24), part(packet, 24, 40));
  EXPECT_EQ(part(out, 24, 40), part(packet, 8, 24));
  Bytes pseudo = part(out, 8, 40);
  test::put16(pseudo, out.size() - 40);
  test::put16(pseudo, 58);
  EXPECT_EQ(test::naive_sum(part(out, 40, out.size()), test::naive_sum(pseudo)), 0xffffU);
  EXPECT_EQ(part(out, 40, 42), (Bytes{1, 3}));
  EXPECT_EQ(part(out, 48, out.size()), packet);
}

TEST(IcmpUndelivered, TooBigTellsTheMtu) {
  const Bytes v4 = answer(udp4(), too_big), v6 = answer(udp6(), too_big);
  ASSERT_GT(v4.size(), 28U);
  EXPECT_EQ(part(v4, 20, 22), (Bytes{3, 4}));
  EXPECT_EQ(part(v4, 24, 28), (Bytes{0, 0, 1400 >> 8, 1400 & 0xff}));
  ASSERT_GT(v6.size(), 48U);
  EXPECT_EQ(part(v6, 40, 42), (Bytes{2, 0}));
  EXPECT_EQ(part(v6, 44, 48), (Bytes{0, 0, 1400 >> 8, 1400 & 0xff}));
}

TEST(IcmpUndelivered, QuotesNoMoreThanAnErrorMayCarry) {
  const Bytes v4 = udp4(4000), v6 = udp6(4000);
  const Bytes out4 = answer(v4), out6 = answer(v6);
  ASSERT_EQ(out4.size(), 576U);
  EXPECT_EQ(part(out4, 28, 576), part(v4, 0, 548));
  ASSERT_EQ(out6.size(), 1280U);
  EXPECT_EQ(part(out6, 48, 1280), part(v6, 0, 1232));
}

TEST(IcmpUndelivered, DoesNotQuotePadding) {
  Bytes packet = udp4();
  const std::size_t length = packet.size();
  packet.resize(length + 12, 0xee);
  EXPECT_EQ(answer(packet).size(), 28 + length);
}

TEST(IcmpUndelivered, AnswersEchoRequestsButNoErrors) {
  const auto icmp4 = [](std::uint8_t type) { return with(with(udp4(), 9, {1}), 20, {type}); };
  EXPECT_FALSE(refused(icmp4(8)));
  EXPECT_FALSE(refused(icmp4(0)));
  for (const std::uint8_t type : Bytes{3, 4, 5, 11, 12})
    EXPECT_TRUE(refused(icmp4(type))) << int{type};
  const auto icmp6 = [](std::uint8_t type) { return with(with(udp6(), 6, {58}), 40, {type}); };
  EXPECT_FALSE(refused(icmp6(128)));
  for (const std::uint8_t type : Bytes{1, 2, 3, 4, 100, 127, 137}) {
    EXPECT_TRUE(refused(icmp6(type))) << int{type};
  }
  // One whose type is cut off may be an error.
  Bytes bare = with(udp4(), 9, {1});
  bare.resize(20);
  EXPECT_TRUE(refused(with(bare, 2, {0, 20})));
}

TEST(IcmpUndelivered, FindsAnErrorBehindExtensionHeaders) {
  Bytes packet = with(udp6(), 6, {0});
  packet = with(packet, 40, {60, 0, 1, 4, 0, 0, 0, 0});  // hop by hop
  packet = with(packet, 48, {58, 0, 1, 4, 0, 0, 0, 0});  // destination options
  EXPECT_TRUE(refused(with(packet, 56, {1})));
  EXPECT_FALSE(refused(with(packet, 56, {128})));
  EXPECT_TRUE(refused(with(packet, 49, {255})));  // beyond the end: it cannot be told
  Bytes endless = with(udp6(), 6, {0});
  for (std::size_t at = 40; at + 8 <= endless.size(); at += 8) endless = with(endless, at, {0, 0});
  EXPECT_TRUE(refused(endless));
}

TEST(IcmpUndelivered, AnswersOnlyTheFirstFragment) {
  EXPECT_FALSE(refused(with(udp4(), 6, {0x20, 0})));
  EXPECT_TRUE(refused(with(udp4(), 6, {0x20, 1})));
  EXPECT_TRUE(refused(with(udp4(), 6, {0, 1})));
  const Bytes v6 = with(udp6(), 6, {44});
  EXPECT_FALSE(refused(with(v6, 40, {17, 0, 0, 1})));
  EXPECT_TRUE(refused(with(v6, 40, {17, 0, 0, 8})));
}

TEST(IcmpUndelivered, AnswersNobodyWhoIsNotOneHost) {
  for (const Bytes& address :
       {Bytes{0, 0, 0, 0}, Bytes{0, 1, 2, 3}, Bytes{127, 0, 0, 1}, Bytes{224, 0, 0, 1},
        Bytes{240, 0, 0, 1}, Bytes{255, 255, 255, 255}}) {
    EXPECT_TRUE(refused(with(udp4(), 12, address))) << int{address[0]};
    EXPECT_TRUE(refused(with(udp4(), 16, address))) << int{address[0]};
  }
  Bytes unspecified(16), loopback(16), multicast(16);
  loopback[15] = 1;
  multicast[0] = 0xff;
  multicast[15] = 2;
  for (const Bytes& address : {unspecified, loopback, multicast}) {
    EXPECT_TRUE(refused(with(udp6(), 8, address)));
    EXPECT_TRUE(refused(with(udp6(), 24, address)));
  }
}

TEST(IcmpUndelivered, RefusesWhatIsNoPacket) {
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused(with(udp4(), 0, {0x55})));
  EXPECT_TRUE(refused(part(udp4(), 0, 100)));
  EXPECT_TRUE(refused(part(udp6(), 0, 39)));
}

}  // namespace
}  // namespace tw
