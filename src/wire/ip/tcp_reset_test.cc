#include "wire/ip/tcp_reset.h"

#include <gtest/gtest.h>

#include <array>

#include "wire/ip/ip_packet.h"
#include "wire/ip/test_packet.h"
#include "wire/ip/transport.h"

namespace tw {
namespace {

using test::Bytes;
using test::naive_sum;
using test::Train;

Bytes reset_of(const Bytes& packet) {
  std::array<std::uint8_t, tcp_reset_max> out;
  out.fill(0xee);
  const std::size_t length = write_tcp_reset(packet, out);
  return {out.begin(), out.begin() + static_cast<long>(length)};
}

Bytes syn_packet(bool v6, std::size_t ip_options, std::size_t tcp_options, std::size_t payload) {
  Train syn{.v6 = v6, .ip_options = ip_options, .tcp_options = tcp_options};
  syn.flags = TcpView::syn;
  syn.sequence = 0xffff'ffffU;
  syn.payload = Bytes(payload, 7);
  return syn.packet(0, 1, true);
}

// Addresses, protocol and length, then the segment: what the checksum covers (RFC 9293, 3.1).
bool checksum_is_right(const Bytes& packet, const IpPacketView& ip) {
  Bytes pseudo{ip.source.begin(), ip.source.end()};
  pseudo.insert(pseudo.end(), ip.target.begin(), ip.target.end());
  const Bytes segment{packet.begin() + ip.header_length, packet.end()};
  test::put16(pseudo, protocol_tcp);
  test::put16(pseudo, segment.size());
  pseudo.insert(pseudo.end(), segment.begin(), segment.end());
  return naive_sum(pseudo) == 0xffff;
}

TEST(TcpReset, AnswersWithTheAcknowledgementThatTheSenderWaitsFor) {
  for (const bool v6 : {false, true}) {
    for (const std::size_t payload : {std::size_t{0}, std::size_t{33}}) {
      const Bytes syn = syn_packet(v6, 8, 20, payload);
      const Bytes reset = reset_of(syn);
      const auto asked = IpPacketView::of(syn);
      const auto ip = IpPacketView::of(reset);
      ASSERT_TRUE(asked && ip);
      ASSERT_EQ(ip->total_length, reset.size());
      EXPECT_EQ(reset.size(), v6 ? 60U : 40U);
      EXPECT_TRUE(std::ranges::equal(ip->source, asked->target));
      EXPECT_TRUE(std::ranges::equal(ip->target, asked->source));
      const auto tcp = TcpView::of(reset, *ip);
      ASSERT_TRUE(tcp);
      EXPECT_EQ(tcp->source_port, 443);
      EXPECT_EQ(tcp->target_port, 40000);
      EXPECT_EQ(tcp->flags, TcpView::rst | TcpView::ack);
      EXPECT_EQ(tcp->sequence, 0U);
      EXPECT_EQ(tcp->acknowledgement, payload) << "the ISN and one more, past the end of 32 bits";
      EXPECT_EQ(tcp->window, 0);
      EXPECT_TRUE(tcp->options.empty());
      EXPECT_TRUE(tcp->payload.empty());
      EXPECT_TRUE(checksum_is_right(reset, *ip));
      if (!v6) EXPECT_EQ(naive_sum({reset.begin(), reset.begin() + 20}), 0xffffU);
    }
  }
}

TEST(TcpReset, NothingElseIsAnswered) {
  for (const unsigned flags : {0x00U, 0x10U, 0x12U, 0x04U, 0x06U, 0x03U, 0x11U}) {
    const Train other{.flags = static_cast<std::uint8_t>(flags)};
    EXPECT_TRUE(reset_of(other.packet(0, 1, true)).empty()) << flags;
  }
  const Train datagram{.tcp = false, .flags = TcpView::syn};
  EXPECT_TRUE(reset_of(datagram.packet(0, 1, true)).empty());
  Bytes fragment = syn_packet(false, 0, 0, 0);
  fragment[6] = 0x20;
  EXPECT_TRUE(reset_of(fragment).empty());
  const Bytes whole = syn_packet(true, 0, 20, 0);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_TRUE(reset_of({whole.begin(), whole.begin() + static_cast<long>(cut)}).empty()) << cut;
  }
}

}  // namespace
}  // namespace tw
