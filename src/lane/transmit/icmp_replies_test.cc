#include "lane/transmit/icmp_replies.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "lane/test_machines.h"

namespace tw::lane {
namespace {

using test::ip_packet;
using test::Packets;

using IcmpRepliesTest = test::TwoMachinesTest;

std::vector<std::uint8_t> quoted(const std::vector<std::uint8_t>& answer) {
  return answer.size() < 28 ? answer : std::vector<std::uint8_t>{answer.begin() + 28, answer.end()};
}

TEST_F(IcmpRepliesTest, APacketForNobodyIsAnsweredAtOnce) {
  const auto packet = ip_packet(1, 77, 10, 0);
  left_.from_host(packet);
  settle();
  const Packets answers = left_.to_host();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0][9], protocol_icmp4);
  EXPECT_EQ(answers[0][20], 3);
  EXPECT_EQ(answers[0][21], 1);
  EXPECT_EQ(quoted(answers[0]), packet);
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::no_route), 1U);
  EXPECT_EQ(left_.counters().from_wire.generated.value(), 1U);
  EXPECT_EQ(left_.counters().from_wire.sent.value(), 1U);
  expect_conserved();
}

TEST_F(IcmpRepliesTest, SoIsOneForAPeerWithoutAnEndpoint) {
  const auto packet = ip_packet(2, 1, 10, 0);
  right_.from_host(packet);
  settle();
  const Packets answers = right_.to_host();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(quoted(answers[0]), packet);
  EXPECT_EQ(right_.counters().to_wire.drops.of(Drop::no_endpoint), 1U);
  expect_conserved();
}

TEST_F(IcmpRepliesTest, ATooLargeOneLearnsWhatFits) {
  left_.from_host(ip_packet(1, 2, 65'500, 0));
  settle();
  const Packets answers = left_.to_host();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0][21], 4);
  const std::size_t mtu = answers[0][26] * std::size_t{256} + answers[0][27];
  left_.from_host(ip_packet(1, 2, mtu - 20, 0));
  settle();
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::too_large), 1U);
  expect_conserved();
}

TEST_F(IcmpRepliesTest, NoAnswerIsAnswered) {
  left_.from_host(ip_packet(1, 77, 10, 0));
  settle();
  const Packets answers = left_.to_host();
  ASSERT_EQ(answers.size(), 1U);
  auto back = answers[0];
  back[19] = 78;  // an error about an error's sender, on its way to nobody
  left_.from_host(back);
  settle();
  EXPECT_TRUE(left_.to_host().empty());
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::no_route), 2U);
  expect_conserved();
}

TEST_F(IcmpRepliesTest, ABurstAndThenOnePerInterval) {
  const auto flood = [&](std::size_t packets) {
    for (std::size_t i = 0; i < packets; ++i) left_.from_host(ip_packet(1, 77, 10, 0));
    settle();
    return left_.to_host().size();
  };
  EXPECT_EQ(flood(200), static_cast<std::size_t>(IcmpReplies::burst));
  EXPECT_EQ(flood(200), 0U);
  clock_.advance(3 * IcmpReplies::interval);
  EXPECT_EQ(flood(200), 3U);
  clock_.advance(1h);
  EXPECT_EQ(flood(200), static_cast<std::size_t>(IcmpReplies::burst));
  expect_conserved();
}

TEST_F(IcmpRepliesTest, ATunThatRefusesIsADropWithAReason) {
  left_.tun().refuse_sends(EIO);
  left_.from_host(ip_packet(1, 77, 10, 0));
  settle();
  EXPECT_EQ(left_.counters().from_wire.drops.of(Drop::tun_error), 1U);
  EXPECT_EQ(left_.counters().from_wire.sent.value(), 0U);
  expect_conserved();
}

}  // namespace
}  // namespace tw::lane
