// SYNs that wait for the relay's answer, through two lanes; the test is the relay.
#include "lane/peers/held_syns.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "lane/test_machines.h"
#include "wire/ip/transport.h"

namespace tw::lane {
namespace {

using test::ip_packet;
using test::Packets;

constexpr std::size_t reports_capacity = 2048;

/// From port 40000 of 10.0.0.1 to 443 of 10.0.0.2; `size` bytes in all, `options` of them TCP's.
std::vector<std::uint8_t> syn_packet(std::uint8_t isn, std::size_t options = 0,
                                     std::size_t payload = 0) {
  return test::tcp_packet(1, 2, TcpView::syn, isn, options, payload);
}

class HeldSynsTest : public test::TwoMachinesTest {
 protected:
  HeldSynsTest()
      : reports_(*WakingRing<SynReport>::open(reports_capacity)),
        answers_(right_.context(), held_syns_max) {
    right_.lane().report_syns(reports_.get(), &answers_);
    right_.lane().hold_syns(true);
  }
  ~HeldSynsTest() override { right_.lane().report_syns(nullptr); }

  void send(const std::vector<std::uint8_t>& packet) {
    left_.from_host(packet);
    settle();
  }
  SynReport reported() {
    SynReport syn;
    EXPECT_TRUE(reports_->pop(syn));
    return syn;
  }
  void answer(const SynReport& syn, SynVerdict verdict) {
    ASSERT_TRUE(answers_.push({.held = syn.held, .verdict = verdict}));
    answers_.wake();
    settle();
  }
  const DirectionCounters& from_wire() const { return right_.counters().from_wire; }

  const std::unique_ptr<WakingRing<SynReport>> reports_;
  ContextRing<SynAnswer> answers_;
};

TEST_F(HeldSynsTest, APassedOneArrivesByteForByteAndOnlyThen) {
  const auto syn = syn_packet(7, 40);
  send(syn);
  const SynReport report = reported();
  ASSERT_TRUE(report.is_held());
  EXPECT_EQ(report.sequence, 7U);
  EXPECT_TRUE(right_.to_host().empty());
  EXPECT_EQ(from_wire().queued(), 1);
  answer(report, SynVerdict::pass);
  EXPECT_EQ(right_.to_host(), Packets{syn});
  EXPECT_EQ(left_.to_host(), Packets{});
  EXPECT_EQ(from_wire().drops.total(), 0U);
  expect_conserved();
}

// Each of several lanes has numbers of its own for the SYNs it holds, and takes only those back.
TEST_F(HeldSynsTest, NumbersSayWhichLaneHolds) {
  right_.lane().report_syns(reports_.get(), &answers_, 3);
  send(syn_packet(7));
  send(syn_packet(8));
  const SynReport first = reported(), second = reported();
  EXPECT_EQ(reporter_of(first.held), 3U);
  EXPECT_EQ(reporter_of(second.held), 3U);
  EXPECT_NE(first.held, second.held);
  answer(second, SynVerdict::pass);
  EXPECT_EQ(right_.to_host(), Packets{syn_packet(8)});
  answer(first, SynVerdict::pass);
  EXPECT_EQ(right_.to_host(), Packets{syn_packet(7)});
  expect_conserved();
}

TEST_F(HeldSynsTest, ARefusedOneIsAnsweredWithAReset) {
  send(syn_packet(7));
  answer(reported(), SynVerdict::refuse);
  EXPECT_TRUE(right_.to_host().empty());
  const Packets got = left_.to_host();
  ASSERT_EQ(got.size(), 1U);
  const auto ip = IpPacketView::of(got[0]);
  ASSERT_TRUE(ip);
  const auto tcp = TcpView::of(got[0], *ip);
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->flags, TcpView::rst | TcpView::ack);
  EXPECT_EQ(tcp->source_port, 443);
  EXPECT_EQ(tcp->target_port, 40000);
  EXPECT_EQ(tcp->acknowledgement, 8U);
  EXPECT_EQ(from_wire().drops.total(), 0U);
  EXPECT_EQ(right_.counters().to_wire.drops.total(), 0U);
  expect_conserved();
}

TEST_F(HeldSynsTest, ARepeatedOneIsDroppedAndCounted) {
  send(syn_packet(7));
  send(syn_packet(7));
  const SynReport first = reported(), second = reported();
  EXPECT_NE(first.held, second.held);
  answer(second, SynVerdict::drop);
  EXPECT_EQ(from_wire().drops.of(Drop::repeated_syn), 1U);
  EXPECT_EQ(from_wire().queued(), 1);
  answer(first, SynVerdict::pass);
  EXPECT_EQ(right_.to_host().size(), 1U);
  expect_conserved();
}

// A SYN that cannot be held goes on at once, and is reported as not held.
TEST_F(HeldSynsTest, OneWithDataOrTooLongIsNotHeld) {
  const auto with_data = syn_packet(7, 0, 1);
  send(with_data);
  EXPECT_FALSE(reported().is_held());
  EXPECT_EQ(right_.to_host(), Packets{with_data});
  const auto longest = syn_packet(7, 40);
  send(longest);
  EXPECT_TRUE(reported().is_held());
  EXPECT_TRUE(right_.to_host().empty());
}

TEST_F(HeldSynsTest, OtherPacketsOvertakeIt) {
  send(syn_packet(7));
  const auto other = ip_packet(1, 2, 60, 3);
  send(other);
  EXPECT_EQ(right_.to_host(), Packets{other});
}

TEST_F(HeldSynsTest, MoreThanMayBeHeldPass) {
  for (std::size_t i = 0; i < held_syns_max + 2; ++i)
    send(syn_packet(static_cast<std::uint8_t>(i)));
  EXPECT_EQ(right_.to_host().size(), 2U);
  EXPECT_EQ(from_wire().queued(), static_cast<std::int64_t>(held_syns_max));
  for (std::size_t i = 0; i < held_syns_max; ++i) {
    const SynReport report = reported();
    ASSERT_TRUE(report.is_held());
    ASSERT_TRUE(answers_.push({.held = report.held, .verdict = SynVerdict::drop}));
  }
  EXPECT_FALSE(reported().is_held());
  answers_.wake();
  settle();
  EXPECT_EQ(from_wire().drops.of(Drop::repeated_syn), held_syns_max);
  reported();
  expect_conserved();
  send(syn_packet(1));
  EXPECT_TRUE(reported().is_held()) << "there is room again";
}

TEST_F(HeldSynsTest, AFullRingOfReportsLetsItPass) {
  const auto small = *WakingRing<SynReport>::open(1);
  right_.lane().report_syns(small.get(), &answers_);
  send(syn_packet(7));
  send(syn_packet(8));
  EXPECT_EQ(right_.to_host(), Packets{syn_packet(8)});
  EXPECT_EQ(from_wire().queued(), 1);
  SynReport first;
  ASSERT_TRUE(small->pop(first));
  answer(first, SynVerdict::pass);
  EXPECT_EQ(right_.to_host(), Packets{syn_packet(7)});
  right_.lane().report_syns(nullptr);
  expect_conserved();
}

TEST_F(HeldSynsTest, TurnedOffItAnswersThoseThatAreHeld) {
  send(syn_packet(7));
  right_.lane().hold_syns(false);
  send(syn_packet(8));
  const SynReport held = reported();
  EXPECT_FALSE(reported().is_held());
  EXPECT_EQ(right_.to_host(), Packets{syn_packet(8)});
  answer(held, SynVerdict::pass);
  EXPECT_EQ(right_.to_host(), Packets{syn_packet(7)});
  expect_conserved();
}

TEST_F(HeldSynsTest, WithoutWhoAnswersNoneIsHeld) {
  send(syn_packet(7));
  right_.lane().report_syns(reports_.get());
  EXPECT_EQ(from_wire().drops.of(Drop::shutdown), 1U) << "its relay is gone";
  expect_conserved();
  reported();
  send(syn_packet(8));
  EXPECT_FALSE(reported().is_held());
  EXPECT_EQ(right_.to_host(), Packets{syn_packet(8)});
}

TEST_F(HeldSynsTest, AResetForAPeerThatHasLostItsPrefixGoesNowhere) {
  send(syn_packet(7));
  right_.lane().allowed_ips().remove(*Prefix::parse("10.0.0.1"), test::only_peer);
  answer(reported(), SynVerdict::refuse);
  EXPECT_TRUE(left_.to_host().empty());
  EXPECT_EQ(right_.counters().to_wire.drops.of(Drop::no_route), 1U);
  expect_conserved();
}

TEST_F(HeldSynsTest, ATunThatIsDownTakesNone) {
  send(syn_packet(7));
  right_.tun().refuse_sends(ENETDOWN);
  answer(reported(), SynVerdict::pass);
  EXPECT_EQ(from_wire().drops.of(Drop::tun_error), 1U);
  expect_conserved();
}

}  // namespace
}  // namespace tw::lane
