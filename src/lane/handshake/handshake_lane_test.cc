// The handshake context's poll with a worker that does not run: what finds the ring full.
#include "lane/handshake/handshake_lane.h"

#include <gtest/gtest.h>

#include <array>

#include "exec/manual_context.h"
#include "wg/cookie.h"
#include "wg/noise.h"
#include "wg/test_peers.h"

namespace tw::lane {
namespace {

constexpr wg::PeerId peer{0};

class HandshakeLaneTest : public testing::Test {
 protected:
  HandshakeLaneTest() {
    lane.handshaker().set_private_key(wg::counting_key(1));
    EXPECT_TRUE(lane.handshaker().add_peer(peer, {remote.public_key, {}}));
    EXPECT_TRUE(remote.handshaker.add_peer(peer, {crypto::public_key_of(wg::counting_key(1)), {}}));
  }
  void request(HandshakeRequest::Kind kind, ByteView message = {}) {
    HandshakeRequest wish;
    wish.kind = kind;
    wish.peer = peer;
    wish.from = remote.endpoint;
    EXPECT_TRUE(wish.message.assign(message));
    EXPECT_TRUE(channel.requests.push(std::move(wish)));
  }
  void poll() { lane.poll(clock.now(), 64); }
  wg::Datagram initiation() {
    remote.handshaker.initiate(peer, clock.now(), clock.wall(), remote.sink);
    return remote.sink.take_sent();
  }
  void fill(std::size_t but = 0) {
    while (channel.events.size() + but < HandshakeChannel::capacity) {
      EXPECT_TRUE(channel.events.push(HandshakeEvent{}));
    }
  }
  std::vector<HandshakeEvent> take_events() {
    std::vector<HandshakeEvent> events;
    for (HandshakeEvent event; channel.events.pop(event);) events.push_back(std::move(event));
    return events;
  }

  ManualClock clock;
  ManualContext worker{ContextId{0}, clock};
  SeededRandom random{1};
  ReceiverIndex codec{1};
  IndexAllocator indices{codec, random};
  HandshakeChannel channel;
  SteeringTable steering;
  HandshakeLane lane{std::array{HandshakeLink{channel, worker}}, steering, indices, random, clock};
  wg::TestDevice remote{2, "192.0.2.2:1002"};
};

TEST_F(HandshakeLaneTest, AnswersAndDeliversTheKeypairFirst) {
  request(HandshakeRequest::Kind::receive, initiation());
  poll();
  const auto events = take_events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].kind, HandshakeEvent::Kind::established);
  EXPECT_EQ(events[1].kind, HandshakeEvent::Kind::send);
  EXPECT_EQ(lane.counters().responses_sent.value(), 1U);
  EXPECT_EQ(lane.counters().established.value(), 1U);
}

// The worker does not get the keypair, so the initiator must not get a response.
TEST_F(HandshakeLaneTest, AFullRingLeavesAnInitiationUnanswered) {
  fill();
  request(HandshakeRequest::Kind::receive, initiation());
  poll();
  const lane::HandshakeCounters& counters = lane.counters();
  EXPECT_EQ(counters.established.value(), 0U);
  EXPECT_EQ(counters.responses_sent.value(), 0U);
  EXPECT_EQ(counters.processed.value(), 0U);
  EXPECT_EQ(counters.drops.of(Drop::queue_full), 1U);
  EXPECT_EQ(counters.events_lost.value(), 1U);
  EXPECT_EQ(indices.in_use(), 0U);
  for (const HandshakeEvent& event : take_events()) EXPECT_EQ(event.message.size, 0U);
}

TEST_F(HandshakeLaneTest, CountsAsSentOnlyWhatItHandsOver) {
  fill();
  request(HandshakeRequest::Kind::initiate);
  poll();
  EXPECT_EQ(lane.counters().initiations_sent.value(), 0U);
  EXPECT_EQ(lane.counters().drops.of(Drop::queue_full), 1U);
  take_events();
  clock.advance(lane.next_deadline() - clock.now());
  poll();
  EXPECT_EQ(lane.counters().initiations_sent.value(), 1U) << "the retry";
  EXPECT_EQ(take_events().size(), 1U);
}

TEST_F(HandshakeLaneTest, TellsOfPeersThatDoNotAnswer) {
  std::vector<wg::PeerId> told;
  lane.on_unanswered([&](wg::PeerId who) { told.push_back(who); });
  request(HandshakeRequest::Kind::initiate);
  poll();
  for (unsigned retry = 1; retry < wg::unanswered_initiations; ++retry) {
    clock.advance(lane.next_deadline() - clock.now());
    poll();
  }
  EXPECT_TRUE(told.empty());
  clock.advance(lane.next_deadline() - clock.now());
  poll();
  EXPECT_EQ(told, std::vector{peer});
}

/// A lane that more comes to than it can process, and strangers with valid first macs.
class FloodedLaneTest : public HandshakeLaneTest {
 protected:
  /// An initiation of a stranger who knows our public key: no peer, so one curve operation.
  wg::Datagram stranger(unsigned number) {
    const wg::Identity self = wg::Identity::of(wg::counting_key(number));
    std::array<std::uint8_t, wg_initiation_size> message{};
    EXPECT_TRUE(wg::create_initiation(self, own, wg::static_secret(self, own).value(),
                                      crypto::generate_private_key(), wg::Tai64n::of(clock.wall()),
                                      number, message));
    wg::CookieJar{}.add_macs(message, wg::MacKeys::of(own), Instant{});
    return {message.begin(), message.end()};
  }
  /// So many as wait without load, and then one more: from here on there is load.
  void flood() {
    const wg::Datagram one = stranger(50);
    for (std::size_t at = 0; at < HandshakeLane::under_load_threshold + 2; ++at) {
      request(HandshakeRequest::Kind::receive, one);
    }
  }
  const crypto::PublicKey own = crypto::public_key_of(wg::counting_key(1));
};

// The ring is emptied in one turn, whatever waits for curve operations, and few are done in it.
TEST_F(FloodedLaneTest, ATurnEmptiesTheRingAndProcessesAFew) {
  flood();
  poll();
  EXPECT_TRUE(channel.requests.empty());
  EXPECT_EQ(lane.counters().drops.of(Drop::bad_handshake), HandshakeLane::handshakes_per_turn);
  EXPECT_FALSE(lane.arm()) << "more waits";
  for (int turn = 0; turn < 100; ++turn) poll();
  EXPECT_EQ(lane.counters().drops.of(Drop::bad_handshake), HandshakeLane::under_load_threshold + 1);
  EXPECT_EQ(lane.counters().drops.of(Drop::under_load), 1U);
  EXPECT_TRUE(lane.arm());
}

TEST_F(FloodedLaneTest, LoadLastsASecond) {
  flood();
  while (!lane.arm()) poll();
  take_events();
  clock.advance(HandshakeLane::load_lasts - 1ns);
  request(HandshakeRequest::Kind::receive, initiation());
  poll();
  EXPECT_EQ(lane.counters().cookies_sent.value(), 2U);
  EXPECT_EQ(lane.counters().established.value(), 0U);
  clock.advance(wg::rekey_timeout);
  request(HandshakeRequest::Kind::receive, initiation());
  poll();
  EXPECT_EQ(lane.counters().established.value(), 1U);
}

// The answer to our own initiation does not line up behind the flood.
TEST_F(FloodedLaneTest, AResponseOvertakesInitiations) {
  request(HandshakeRequest::Kind::initiate);
  poll();
  std::vector<HandshakeEvent> events = take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(remote.receive(events[0].message.view(), remote.endpoint, clock.now()), std::nullopt);
  flood();
  request(HandshakeRequest::Kind::receive, remote.sink.take_sent());
  poll();
  EXPECT_EQ(lane.counters().established.value(), 1U);
  EXPECT_FALSE(lane.arm()) << "the flood still waits";
}

TEST_F(FloodedLaneTest, CookieRepliesToStrangersHaveARate) {
  flood();
  const wg::Datagram one = stranger(51);
  for (int at = 0; at < 1000; ++at) request(HandshakeRequest::Kind::receive, one);
  poll();
  // One as a stranger who has not asked lately, and a burst as one of those who ask all the time.
  EXPECT_EQ(lane.counters().cookies_sent.value(), std::uint64_t{1 + wg::other_reply_burst});
  EXPECT_EQ(lane.counters().drops.of(Drop::under_load), 1001U);
}

}  // namespace
}  // namespace tw::lane
