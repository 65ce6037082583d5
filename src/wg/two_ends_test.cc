// Two whole ends over a link that misbehaves, in virtual time. The ends assert by themselves that
// no counter is sealed twice and no packet delivered twice.
#include <gtest/gtest.h>

#include <cstdlib>

#include "wg/test_link.h"

namespace tw::wg {
namespace {

class Pair {
 public:
  explicit Pair(std::uint64_t seed) : random(seed) {
    left.set_peer(right.public_key());
    right.set_peer(left.public_key());
  }
  /// Runs until `until`, while each end in turn sends a packet every `interval` (zero: none).
  void run(Duration length, Duration interval, bool from_left = true, bool from_right = true) {
    const Instant until = clock.now() + length;
    Instant next_packet = interval > 0ns ? clock.now() : Instant::max();
    while (clock.now() < until) {
      if (clock.now() >= next_packet) {
        if (from_left) left.send_packet(++packets_sent);
        if (from_right) right.send_packet(++packets_sent);
        next_packet = clock.now() + interval;
      }
      while (to_left.next() <= clock.now()) left.receive(to_left.take());
      while (to_right.next() <= clock.now()) right.receive(to_right.take());
      while (left.next_deadline() <= clock.now()) left.tick();
      while (right.next_deadline() <= clock.now()) right.tick();
      const Instant next = std::min({until, next_packet, to_left.next(), to_right.next(),
                                     left.next_deadline(), right.next_deadline()});
      if (next > clock.now()) clock.advance(next - clock.now());
    }
  }
  void set_quality(const TestLink::Quality& quality) {
    to_left.quality = quality;
    to_right.quality = quality;
  }
  std::size_t delivered() const { return left.delivered.size() + right.delivered.size(); }

  SeededRandom random;
  ManualClock clock;
  TestLink to_left{random}, to_right{random};
  TestEnd left{1, to_right, clock};
  TestEnd right{2, to_left, clock};
  std::uint64_t packets_sent = 0;
};

// On a clean link nothing is ever lost: not the packets before the first handshake, and none at a
// rekey, whichever side sends.
TEST(TwoEnds, ACleanLinkLosesNothingAcrossRekeys) {
  for (const auto& [from_left, from_right] :
       {std::pair{true, true}, {true, false}, {false, true}}) {
    Pair pair{1};
    pair.run(700s, 500ms, from_left, from_right);
    pair.run(1s, 0ns);
    EXPECT_EQ(pair.delivered(), pair.packets_sent);
    // At 0 s, 120, 240, 360, 480 and 600 s; one more where both began at once.
    EXPECT_GE(pair.left.established_at.size(), 6U);
    EXPECT_LE(pair.left.established_at.size(), 7U);
  }
}

TEST(TwoEnds, KeypairsRotateAfterRekeyAfterTime) {
  Pair pair{1};
  pair.run(300s, 100ms, true, false);
  ASSERT_EQ(pair.left.established_at.size(), 3U);
  for (std::size_t at = 1; at < 3; ++at) {
    const Duration age = pair.left.established_at[at] - pair.left.established_at[at - 1];
    EXPECT_GE(age, rekey_after_time);
    EXPECT_LE(age, rekey_after_time + 200ms);
  }
}

// Right has nothing to say, and yet left hears of it: every ten seconds at most.
TEST(TwoEnds, OneWayTrafficIsAnsweredByKeepalives) {
  Pair pair{1};
  pair.run(100s, 1s, true, false);
  EXPECT_GE(pair.left.keepalives_received, 8U);
  EXPECT_LE(pair.left.keepalives_received, 12U);
  EXPECT_EQ(pair.left.established_at.size(), 1U) << "so it has no reason for a handshake";
}

TEST(TwoEnds, AnIdlePairFallsSilent) {
  Pair pair{1};
  pair.run(5s, 1s);
  pair.run(3 * reject_after_time, 0ns);
  const std::size_t handshakes = pair.left.established_at.size();
  EXPECT_EQ(pair.left.next_deadline(), Instant::max()) << "keys wiped, nothing left to do";
  EXPECT_EQ(pair.right.next_deadline(), Instant::max());
  pair.run(1000s, 0ns);
  EXPECT_EQ(pair.left.established_at.size(), handshakes);
  pair.run(1s, 100ms);
  pair.run(1s, 0ns);
  EXPECT_EQ(pair.delivered(), pair.packets_sent) << "and wakes up again";
}

TEST(TwoEnds, APeerThatRestartsIsFoundAgain) {
  for (const bool restarted_sends : {true, false}) {
    Pair pair{1};
    pair.run(30s, 1s);
    pair.right.restart();
    pair.run(25s, 1s, true, restarted_sends);
    const std::size_t before = pair.right.delivered.size();
    pair.run(10s, 1s, true, false);
    EXPECT_GE(pair.right.delivered.size(), before + 9);
  }
}

TEST(TwoEnds, CopiesOfEverythingAreDeliveredOnce) {
  Pair pair{1};
  pair.set_quality({.repeat_percent = 100, .jitter = 50ms});
  pair.run(200s, 100ms);
  pair.run(1s, 0ns);
  EXPECT_EQ(pair.delivered(), pair.packets_sent);
  EXPECT_GE(pair.left.rejected_replays, pair.left.delivered.size());
}

/// Ten minutes of what links do to packets: loss, reordering, copies, darkness, restarts and a wall
/// clock set back; then a clean link, over which everything must flow again.
void survive(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Pair pair{seed};
  SeededRandom chaos{seed * 7919};
  bool stepped_back = false;
  for (int phase = 0; phase < 12; ++phase) {
    const std::uint64_t kind = chaos.next() % 10;
    pair.set_quality({.loss_percent = kind == 0 ? 100 : static_cast<unsigned>(chaos.next() % 60),
                      .repeat_percent = static_cast<unsigned>(chaos.next() % 30),
                      .delay = std::chrono::milliseconds{1 + chaos.next() % 300},
                      .jitter = std::chrono::milliseconds{chaos.next() % 500}});
    if (kind == 1) pair.to_left.quality.loss_percent = 100;  // one way only
    // A restart forgets the last timestamp, which a clock set back later would then repeat.
    if (kind == 2 && !stepped_back) pair.left.restart();
    if (kind == 3) {
      pair.clock.set_wall(WallTime{pair.clock.wall().since_epoch - 1h});
      stepped_back = true;
    }
    const Duration interval = std::chrono::milliseconds{500 + chaos.next() % 20'000};
    pair.run(std::chrono::seconds{chaos.next() % 100}, interval, chaos.next() % 3 != 0,
             chaos.next() % 3 != 0);
  }
  pair.set_quality({});
  pair.run(30s, 500ms);  // 15 s until the silence is noticed, and a retry or two
  const std::size_t before = pair.delivered();
  const std::uint64_t sent_before = pair.packets_sent;
  pair.run(10s, 100ms);
  pair.run(1s, 0ns);
  EXPECT_GE(pair.delivered() - before, pair.packets_sent - sent_before);
}

TEST(TwoEnds, AlwaysRecover) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs
  const int seeds = std::getenv("TW_LONG") != nullptr ? 3000 : 24;
  for (int seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    survive(static_cast<std::uint64_t>(seed));
  }
}

}  // namespace
}  // namespace tw::wg
