#include "wire/message/syn_report.h"

#include <gtest/gtest.h>

#include "wire/ip/test_packet.h"
#include "wire/ip/transport.h"

namespace tw {
namespace {

using test::Bytes;
using test::Train;

std::optional<SynReport> report_of(const Bytes& packet) {
  const auto ip = IpPacketView::of(packet);
  return ip ? SynReport::of(packet, *ip) : std::nullopt;
}

TEST(SynReport, SaysWhoWantsToConnectWhere) {
  for (const std::size_t options : {std::size_t{0}, std::size_t{20}}) {
    Train syn{.tcp_options = options, .flags = TcpView::syn};
    const auto report = report_of(syn.packet(0, 1, true));
    ASSERT_TRUE(report);
    EXPECT_EQ(report->client.text(), "10.1.2.3:40000");
    EXPECT_EQ(report->target.text(), "192.168.7.9:443");
    EXPECT_EQ(report->sequence, 1000U);
    EXPECT_EQ(report->payload_bytes, 0);
  }
}

TEST(SynReport, WorksForIpv6BehindExtensionHeaders) {
  for (const std::size_t extension : {std::size_t{0}, std::size_t{8}}) {
    const Train syn{.v6 = true, .ip_options = extension, .flags = TcpView::syn};
    const auto report = report_of(syn.packet(0, 1, true));
    ASSERT_TRUE(report);
    EXPECT_EQ(report->client.text(), "[2021:2223:2425:2627:2829:2a2b:2c2d:2e2f]:40000");
    EXPECT_EQ(report->target.text(), "[3031:3233:3435:3637:3839:3a3b:3c3d:3e3f]:443");
  }
}

TEST(SynReport, TellsDataInTheSyn) {
  Train syn{.flags = TcpView::syn};
  syn.payload = Bytes(33, 1);
  EXPECT_EQ(report_of(syn.packet(0, 1, true))->payload_bytes, 33);
}

TEST(SynReport, TakesEceAndCwrForASyn) {
  const Train syn{.flags = TcpView::syn | TcpView::ece | TcpView::cwr};
  EXPECT_TRUE(report_of(syn.packet(0, 1, true)));
}

// Whatever single bit is wrong: a reset for a damaged SYN, or a connection begun for it, would be
// an answer to a question that nobody has asked.
TEST(SynReport, ADamagedOneIsNone) {
  for (const bool v6 : {false, true}) {
    Train syn{.v6 = v6, .tcp_options = 20, .flags = TcpView::syn};
    syn.payload = Bytes(9, 1);
    const Bytes intact = syn.packet(0, 1, true);
    ASSERT_TRUE(report_of(intact));
    // No checksum covers the first four bytes of IPv6 and its hop limit.
    for (std::size_t at = v6 ? 8 : 0; at < intact.size(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        Bytes damaged = intact;
        damaged[at] ^= static_cast<std::uint8_t>(1U << bit);
        EXPECT_FALSE(report_of(damaged)) << v6 << ", byte " << at << ", bit " << bit;
      }
    }
  }
}

TEST(SynReport, PaddingBehindThePacketIsNotSummed) {
  Bytes padded = Train{.flags = TcpView::syn}.packet(0, 1, true);
  padded.resize(padded.size() + 6, 0xee);
  EXPECT_TRUE(report_of(padded));
}

TEST(SynReport, NothingElseIsOne) {
  for (const unsigned flags : {0x00U, 0x10U, 0x12U, 0x04U, 0x06U, 0x03U, 0x11U, 0x18U}) {
    const Train other{.flags = static_cast<std::uint8_t>(flags)};
    EXPECT_FALSE(report_of(other.packet(0, 1, true))) << flags;
  }
  const Train datagram{.tcp = false, .flags = TcpView::syn};
  EXPECT_FALSE(report_of(datagram.packet(0, 1, true)));
  Bytes fragment = Train{.flags = TcpView::syn}.packet(0, 1, true);
  fragment[6] = 0x20;
  EXPECT_FALSE(report_of(fragment));
  Bytes cut = Train{.flags = TcpView::syn}.packet(0, 1, true);
  cut[3] = 30;  // ends inside the TCP header
  EXPECT_FALSE(report_of(cut));
}

}  // namespace
}  // namespace tw
