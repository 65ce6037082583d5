#include "relay/leg_pacer.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "relay/loopback_pair.h"
#include "relay/test_path.h"

namespace tw::relay {
namespace {

constexpr std::uint64_t mbps = 1'000'000, megabyte = 1'000'000;
constexpr std::uint64_t first_rate = 20 * mbps;
const TestPath::Shape long_haul{.rate_bps = 200 * mbps};  // 215 ms, a queue of 1 MB

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

TEST(LegPacer, TheFirstLegOfAnUnknownPathLosesLittle) {
  for (const std::uint64_t megabytes : {1U, 5U, 10U, 14U, 20U, 50U}) {
    TestPath path{long_haul, first_rate};
    EXPECT_LE(path.transfer(megabytes * megabyte).lost, 0.05) << megabytes << " MB";
  }
}

TEST(LegPacer, AKnownPathLosesNextToNothingAndIsFull) {
  for (const std::uint64_t megabytes : {10U, 50U}) {
    TestPath path{long_haul, first_rate};
    for (int legs = 0; legs < 3; ++legs) path.transfer(megabytes * megabyte);
    const double ideal_s = 0.215 + static_cast<double>(megabytes) * 8 / 200;
    for (int legs = 0; legs < 10; ++legs) {
      const TestPath::Transfer transfer = path.transfer(megabytes * megabyte);
      EXPECT_LE(transfer.lost, 0.005) << megabytes << " MB, leg " << legs;
      EXPECT_LE(seconds(transfer.time), 1.1 * ideal_s) << megabytes << " MB, leg " << legs;
    }
  }
}

TEST(LegPacer, LearnsAPathWithinAFewDownloads) {
  struct Case {
    TestPath::Shape shape;
    int downloads;  // of 10 MB
  };
  const std::array cases{
      Case{{.rate_bps = 1000 * mbps, .queue_bytes = 6'250'000}, 3},
      Case{{.rate_bps = 200 * mbps}, 1},
      Case{{.rate_bps = 20 * mbps, .queue_bytes = 128'000}, 1},
      Case{{.rate_bps = 1000 * mbps, .rtt = 30ms}, 2},
      Case{{.rate_bps = 1000 * mbps, .rtt = 1ms}, 2},
  };
  for (const Case& wanted : cases) {
    TestPath path{wanted.shape, first_rate};
    for (int i = 0; i < wanted.downloads; ++i) path.transfer(10 * megabyte);
    EXPECT_GE(path.rate().rate_bps(path.now()), wanted.shape.rate_bps * 8 / 10)
        << wanted.shape.rate_bps / mbps << " Mbps, " << seconds(wanted.shape.rtt) << " s";
    EXPECT_LE(path.rate().rate_bps(path.now()), wanted.shape.rate_bps * 105 / 100);
  }
}

TEST(LegPacer, ShortDownloadsTeachToo) {
  TestPath path{long_haul, first_rate};
  for (int i = 0; i < 10; ++i) path.transfer(1 * megabyte);
  EXPECT_GE(path.rate().rate_bps(path.now()), 160 * mbps);
}

// On a path far wider than the rate, whatever is missing is nobody's fault: a limit once believed
// in would keep the path slow for minutes.
const TestPath::Shape wide{.rate_bps = 1000 * mbps, .queue_bytes = 6'250'000};

TEST(LegPacer, ADownloadThatEndsWithItsBurstShowsNoLimitButWhatArrived) {
  for (std::uint64_t kilobytes = 40; kilobytes < 1500; kilobytes += 7) {
    TestPath path{wide, first_rate};
    path.transfer(kilobytes * 1000);
    EXPECT_FALSE(path.rate().limit_known(path.now())) << kilobytes << " KB";
    if (kilobytes < 110) continue;
    EXPECT_GE(path.rate().rate_bps(path.now()), first_rate * 3 / 2) << kilobytes << " KB";
  }
}

TEST(LegPacer, LateAcknowledgementsShowNoLimit) {
  for (const int late_ms : {3, 5, 10, 20}) {
    for (int at_ms = 210; at_ms < 280; at_ms += 3) {
      TestPath path{wide, first_rate};
      const auto leg = path.make_leg();
      path.write(*leg, 10 * megabyte);
      for (int ms = 0; ms < at_ms; ++ms) path.tick({leg.get()});
      path.hold_acks(std::chrono::milliseconds{late_ms});
      path.run({leg.get()});
      EXPECT_FALSE(path.rate().limit_known(path.now())) << late_ms << " ms late at " << at_ms;
      EXPECT_GE(path.rate().rate_bps(path.now()), 4 * first_rate) << late_ms << ", " << at_ms;
    }
  }
}

TEST(LegPacer, APathNarrowerThanTheFirstRateIsFoundOut) {
  TestPath path{{.rate_bps = 5 * mbps, .queue_bytes = 128'000}, first_rate};
  path.transfer(10 * megabyte);
  EXPECT_LE(path.transfer(10 * megabyte).lost, 0.005);
  EXPECT_GE(path.rate().rate_bps(path.now()), 4 * mbps);
}

TEST(LegPacer, FollowsAPathThatBecomesNarrowerAndWiderAgain) {
  TestPath path{long_haul, first_rate};
  for (int i = 0; i < 3; ++i) path.transfer(10 * megabyte);
  path.shape().rate_bps = 50 * mbps;
  path.transfer(10 * megabyte);
  EXPECT_LE(path.transfer(10 * megabyte).lost, 0.005);
  EXPECT_LE(path.rate().rate_bps(path.now()), 51 * mbps);
  EXPECT_GE(path.rate().rate_bps(path.now()), 40 * mbps);

  path.shape().rate_bps = 200 * mbps;
  for (int i = 0; i < 5; ++i) path.transfer(10 * megabyte);
  EXPECT_GE(path.rate().rate_bps(path.now()), 160 * mbps);
}

TEST(LegPacer, ALongTransferNoticesANarrowerPathItself) {
  TestPath path{long_haul, first_rate};
  for (int i = 0; i < 3; ++i) path.transfer(10 * megabyte);
  const auto leg = path.make_leg();
  path.write(*leg, 100 * megabyte);
  for (int ms = 0; ms < 1500; ++ms) path.tick({leg.get()});
  path.shape().rate_bps = 100 * mbps;
  for (int ms = 0; ms < 2000; ++ms) path.tick({leg.get()});
  EXPECT_LE(path.rate().rate_bps(path.now()), 105 * mbps);
  const std::uint64_t dropped = path.dropped();
  for (int ms = 0; ms < 2000; ++ms) path.tick({leg.get()});
  EXPECT_EQ(path.dropped(), dropped) << "once it is known, nothing";
}

TEST(LegPacer, ChanceLossesAreNotTakenForANarrowPath) {
  for (const double loss : {0.001, 0.01}) {
    TestPath path{{.rate_bps = 200 * mbps, .loss = loss}, first_rate};
    for (int i = 0; i < 8; ++i) path.transfer(10 * megabyte);
    EXPECT_GE(path.rate().rate_bps(path.now()), 160 * mbps) << loss;
  }
}

// The kernel's trains do not get smaller with the rate: at 20 Mbps one comes every 26 ms, and is
// acknowledged before the next look. A smoothed RTT that is still high must not make that a queue.
TEST(LegPacer, ATrainThatHasArrivedBeforeTheLookIsNoNarrowPath) {
  const auto path = std::make_shared<PathRate>(first_rate, [](int, std::uint64_t) {});
  LegPacer pacer{path, -1};
  TcpSample sample{.rtt = 13ms, .min_rtt = 8ms, .notsent_bytes = megabyte};
  pacer.on_written(megabyte, Instant{1s});
  const auto look = [&] { pacer.on_sample(sample, pacer.deadline()); };
  for (int i = 0; i < 20; ++i) look();  // nothing to be sent: no burst, but looks all the same
  for (int trains = 0; trains < 10; ++trains) {
    sample.sent_bytes += 64U << 10U;
    sample.delivered_bytes = sample.sent_bytes;
    look();
    look();
  }
  EXPECT_GE(path->rate_bps(pacer.deadline()), first_rate * 9 / 10);
}

struct Crowd {
  std::vector<std::unique_ptr<TestPath::Leg>> owned;
  std::vector<TestPath::Leg*> legs;
  void add(TestPath& path, std::uint64_t bytes) {
    owned.push_back(path.make_leg());
    legs.push_back(owned.back().get());
    if (bytes > 0) path.write(*legs.back(), bytes);
  }
};

TEST(LegPacer, LegsThatBeginTogetherShareThePath) {
  for (const bool known : {false, true}) {
    for (const std::size_t count : {2U, 4U, 16U}) {
      TestPath path{long_haul, first_rate};
      for (int i = 0; known && i < 3; ++i) path.transfer(10 * megabyte);
      Crowd crowd;
      for (std::size_t i = 0; i < count; ++i) crowd.add(path, 5 * megabyte);
      const std::uint64_t dropped = path.dropped();
      const Instant begun = path.now();
      path.run(crowd.legs);
      const auto sent = static_cast<double>(count * 5 * megabyte);
      EXPECT_LE(static_cast<double>(path.dropped() - dropped) / sent, known ? 0.005 : 0.05)
          << count << " legs, known: " << known;
      const double ideal_s = 0.215 + sent * 8 / 200e6;
      EXPECT_LE(seconds(path.now() - begun), (known ? 1.35 : 1.5) * ideal_s + (known ? 0 : 1))
          << count << " legs, known: " << known;
    }
  }
}

TEST(LegPacer, IdleLegsTakeNothingAndAskForNothing) {
  TestPath path{long_haul, first_rate};
  for (int i = 0; i < 3; ++i) path.transfer(10 * megabyte);
  Crowd crowd;
  for (int i = 0; i < 100; ++i) crowd.add(path, 1000);
  crowd.add(path, 10 * megabyte);
  const Instant begun = path.now();
  path.run(crowd.legs);
  EXPECT_LE(seconds(path.now() - begun), 1.1 * (0.215 + 0.4));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(crowd.legs[static_cast<std::size_t>(i)]->samples, 0U);
    EXPECT_EQ(crowd.legs[static_cast<std::size_t>(i)]->pacer.deadline(), Instant::max());
  }
}

TEST(LegPacer, ALegThatHasFinishedComesToRest) {
  TestPath path{long_haul, first_rate};
  const auto leg = path.make_leg();
  path.write(*leg, megabyte);
  path.run({leg.get()});
  for (int ms = 0; ms < 1000; ++ms) path.tick({leg.get()});
  EXPECT_EQ(leg->pacer.deadline(), Instant::max());
  EXPECT_EQ(path.rate().members(), 0U);
  const std::uint64_t samples = leg->samples;

  path.write(*leg, 1000);
  EXPECT_EQ(leg->pacer.deadline(), Instant::max()) << "little: not worth a look";
  path.write(*leg, megabyte);
  EXPECT_EQ(leg->pacer.deadline(), path.now());
  path.run({leg.get()});
  EXPECT_GT(leg->samples, samples);
}

TEST(LegPacer, ASlowLegDoesNotStarveAFastOne) {
  TestPath path{long_haul, first_rate};
  for (int i = 0; i < 3; ++i) path.transfer(10 * megabyte);
  Crowd crowd;
  crowd.add(path, 0);
  crowd.add(path, 100 * megabyte);
  std::uint64_t before = 0;
  for (int ms = 0; ms < 4000; ++ms) {
    path.write(*crowd.legs[0], 1250);  // 10 Mbps
    path.tick(crowd.legs);
    if (ms == 2000) before = crowd.legs[1]->delivered;
  }
  const auto bps = static_cast<double>(crowd.legs[1]->delivered - before) * 8 / 2;
  EXPECT_GE(bps, 0.8 * 190e6);
}

TEST(LegPacer, ALegThatGoesInTheMiddleOfAProbeLeavesThePathUsable) {
  TestPath path{long_haul, first_rate};
  auto leg = path.make_leg();
  path.write(*leg, 10 * megabyte);
  for (int ms = 0; ms < 10; ++ms) path.tick({leg.get()});
  ASSERT_EQ(path.rate().members(), 1U);
  leg->pacer = LegPacer{std::make_shared<PathRate>(first_rate, lower_socket), -1};
  EXPECT_EQ(path.rate().members(), 0U);
  path.transfer(10 * megabyte);
  EXPECT_GT(path.rate().rate_bps(path.now()), 160 * mbps);
}

std::uint64_t pacing_rate_of(int socket) {
  std::uint64_t bytes_per_s = 0;
  socklen_t size = sizeof bytes_per_s;
  EXPECT_EQ(::getsockopt(socket, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_s, &size), 0);
  return bytes_per_s * 8;
}

TEST(TcpSample, SaysWhatASocketHasSent) {
  const LoopbackPair pair = connect_pair();
  const std::string text(10'000, 'x');
  ASSERT_EQ(::send(pair.ours.get(), text.data(), text.size(), 0), 10'000);
  std::string read(10'000, ' ');
  for (std::size_t got = 0; got < read.size();) {
    ASSERT_NE(wait_for(pair.theirs.get(), POLLIN) & POLLIN, 0);
    const auto size = ::recv(pair.theirs.get(), read.data() + got, read.size() - got, 0);
    ASSERT_GT(size, 0);
    got += static_cast<std::size_t>(size);
  }
  const auto sample = read_tcp_sample(pair.ours.get());
  ASSERT_TRUE(sample.has_value());
  EXPECT_EQ(sample->sent_bytes, 10'000U);
  EXPECT_LE(sample->delivered_bytes, 10'001U) << "the SYN counts as one";
  EXPECT_EQ(sample->retransmitted_bytes, 0U);
  EXPECT_EQ(sample->notsent_bytes, 0U);
  EXPECT_GT(sample->rtt, Duration::zero());
  EXPECT_LT(sample->min_rtt, 1s);
}

TEST(TcpSample, OnlyOfTcp) {
  const UniqueFd udp{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  EXPECT_FALSE(read_tcp_sample(udp.get()).has_value());
  EXPECT_FALSE(set_pacing_rate(-1, mbps).has_value());
}

TEST(LegPacer, SetsItsSocketAndLowersItWhenAnotherComes) {
  const LoopbackPair one = connect_pair(), two = connect_pair();
  // More than a path as short as loopback begins with in any case.
  const auto path = std::make_shared<PathRate>(1000 * mbps, lower_socket);
  LegPacer first{path, one.ours.get()}, second{path, two.ours.get()};
  const Instant now{1s};
  first.start(now);
  EXPECT_EQ(pacing_rate_of(one.ours.get()), 2000 * mbps) << "the first burst: twice the rate";

  first.on_written(megabyte, now);
  ASSERT_EQ(first.deadline(), now);
  first.drive(now);
  second.start(now);
  EXPECT_EQ(pacing_rate_of(two.ours.get()), 500 * mbps);
  second.on_written(megabyte, now);
  second.drive(now);
  EXPECT_EQ(pacing_rate_of(one.ours.get()), 500 * mbps) << "half the rate, and no burst any more";
}

TEST(LegPacer, LeavesASocketAloneThatRefuses) {
  LegPacer pacer{std::make_shared<PathRate>(first_rate, lower_socket), -1};
  pacer.start(Instant{1s});
  pacer.on_written(megabyte, Instant{1s});
  EXPECT_EQ(pacer.deadline(), Instant::max());
}

}  // namespace
}  // namespace tw::relay
