#include "wire/offload/gso.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/ip/test_packet.h"

namespace tw {
namespace {

using test::Bytes;
using test::Train;

struct Slice {
  Bytes bytes;
  VnetHeader vnet;
};

Slice slice_of(const GsoView& view, std::size_t first, std::size_t count) {
  Bytes out(view.slice_length(first, count));
  const GsoSlice made = view.slice(first, count, out);
  EXPECT_EQ(made.length, out.size());
  return {out, made.vnet};
}

std::vector<Bytes> split(const GsoView& view) {
  std::vector<Bytes> out;
  view.split_all([&](std::size_t index, std::size_t length) {
    EXPECT_EQ(index, out.size());
    out.emplace_back(length);
    return ByteSpan{out.back()};
  });
  return out;
}

/// Runs `check` over trains of random shape; the seed of a failure is printed.
template <typename Check>
void for_random_trains(std::uint64_t rounds, Check&& check) {
  for (std::uint64_t seed = 0; seed < rounds; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random{seed};
    const Train train = test::random_train(random);
    const Bytes packet = train.whole();
    const auto view = GsoView::of(packet, train.vnet());
    ASSERT_TRUE(view);
    check(train, *view, random);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Gso, SplitGivesThePacketsOfASenderWithoutOffloads) {
  for_random_trains(200, [](const Train& train, const GsoView& view, RandomSource&) {
    const std::vector<Bytes> packets = split(view);
    ASSERT_EQ(packets.size(), train.segments());
    for (std::size_t i = 0; i < packets.size(); ++i) {
      EXPECT_EQ(packets[i], train.packet(i, 1, true)) << "segment " << i;
    }
  });
}

TEST(Gso, PayloadsOfTheSegmentsAreThePayload) {
  for_random_trains(100, [](const Train& train, const GsoView& view, RandomSource&) {
    Bytes joined;
    for (const Bytes& packet : split(view)) {
      joined.insert(joined.end(), packet.begin() + static_cast<long>(train.headers()),
                    packet.end());
    }
    EXPECT_EQ(joined, train.payload);
  });
}

TEST(Gso, ASliceIsATrainOfItsOwn) {
  for_random_trains(200, [](const Train& train, const GsoView& view, RandomSource& random) {
    const std::size_t first = random.next() % train.segments();
    const std::size_t count = 1 + random.next() % (train.segments() - first);
    const Slice slice = slice_of(view, first, count);
    EXPECT_EQ(slice.bytes, train.packet(first, count, false));
    EXPECT_EQ(slice.vnet, train.vnet(first, count));
  });
}

TEST(Gso, SlicesOfSlicesAreSlicesOfTheWhole) {
  for_random_trains(150, [](const Train& train, const GsoView& view, RandomSource& random) {
    const std::size_t first = random.next() % train.segments();
    const std::size_t count = 1 + random.next() % (train.segments() - first);
    const std::size_t inner_first = random.next() % count;
    const std::size_t inner_count = 1 + random.next() % (count - inner_first);
    const Slice outer = slice_of(view, first, count);
    const auto again = GsoView::of(outer.bytes, outer.vnet);
    ASSERT_TRUE(again);
    ASSERT_EQ(again->segment_count(), count);
    const Slice inner = slice_of(*again, inner_first, inner_count);
    const Slice direct = slice_of(view, first + inner_first, inner_count);
    EXPECT_EQ(inner.bytes, direct.bytes);
    EXPECT_EQ(inner.vnet, direct.vnet);
    // And both end as the same packets.
    const std::vector<Bytes> packets = split(*again);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(packets[i], train.packet(first + i, 1, true));
    }
  });
}

TEST(Gso, CompleteChecksumFinishesASingleSegment) {
  for_random_trains(150, [](const Train& train, const GsoView& view, RandomSource& random) {
    const std::size_t index = random.next() % train.segments();
    Slice single = slice_of(view, index, 1);
    ASSERT_EQ(single.vnet.gso_type, VnetHeader::gso_none);
    EXPECT_TRUE(complete_checksum(single.bytes, single.vnet));
    EXPECT_EQ(single.bytes, train.packet(index, 1, true));
  });
}

TEST(Gso, WireBytesIsTheSumOverTheSegments) {
  for_random_trains(100, [](const Train&, const GsoView& view, RandomSource&) {
    std::size_t expected = 0;
    for (const Bytes& packet : split(view)) expected += packet.size() + 38;
    EXPECT_EQ(view.wire_bytes(38), expected);
  });
}

TEST(Gso, AWrongPseudoHeaderSumIsNotHandedOn) {
  Train train;
  train.payload = Bytes(2500, 9);
  Bytes packet = train.whole();
  packet[36] ^= 0x55U;
  const auto view = GsoView::of(packet, train.vnet());
  ASSERT_TRUE(view);
  EXPECT_EQ(split(*view)[1], train.packet(1, 1, true));
  EXPECT_EQ(slice_of(*view, 0, 2).bytes, train.packet(0, 2, false));
}

TEST(Gso, SequenceAndIdentificationWrapAround) {
  Train train{.identification = 0xffff, .sequence = 0xffffff00};
  train.payload = Bytes(3000, 1);
  const Bytes packet = train.whole();
  const auto packets = split(*GsoView::of(packet, train.vnet()));
  EXPECT_EQ(packets[1], train.packet(1, 1, true));
  EXPECT_EQ(packets[1][4], 0);
  EXPECT_EQ(packets[1][5], 0);
}

TEST(Gso, AChecksumOfZeroIsWrittenAsAllOnes) {
  // A UDP payload word that makes the sum 0xffff, whose complement would say "no checksum".
  Train train{.tcp = false};
  train.payload = Bytes(2, 0);
  const Bytes plain = train.packet(0, 1, true);
  train.payload = {plain[26], plain[27]};
  Bytes packet = train.packet(0, 1, false);
  EXPECT_TRUE(complete_checksum(packet, train.vnet()));
  EXPECT_EQ(packet[26], 0xff);
  EXPECT_EQ(packet[27], 0xff);
  EXPECT_EQ(packet, train.packet(0, 1, true));
}

TEST(Gso, APacketThatNeedsNothingIsATrainOfOne) {
  Train train{.v6 = true};
  train.payload = Bytes(100, 3);
  Bytes packet = train.packet(0, 1, true);
  for (const std::uint8_t flags : {std::uint8_t{0}, VnetHeader::data_valid}) {
    VnetHeader vnet;
    vnet.flags = flags;
    vnet.header_length = 9999;
    const auto view = GsoView::of(packet, vnet);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->segment_count(), 1U);
    EXPECT_EQ(view->wire_bytes(10), packet.size() + 10);
    EXPECT_EQ(split(*view).front(), packet);
    const Slice slice = slice_of(*view, 0, 1);
    EXPECT_EQ(slice.bytes, packet);
    EXPECT_EQ(slice.vnet.flags, flags);
    EXPECT_EQ(slice.vnet.header_length, 0);
    const Bytes before = packet;
    EXPECT_TRUE(complete_checksum(packet, vnet));
    EXPECT_EQ(packet, before);
  }
}

TEST(Gso, ATrainShorterThanItsSegmentSizeIsOneSegment) {
  for (const bool tcp : {true, false}) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{999}, std::size_t{1000}}) {
      Train train{.tcp = tcp};
      train.payload = Bytes(size, 1);
      const Bytes packet = train.packet(0, 1, false);
      VnetHeader vnet = train.vnet(0, 2);  // says it is a train
      const auto view = GsoView::of(packet, vnet);
      ASSERT_TRUE(view);
      EXPECT_EQ(view->segment_count(), 1U);
      EXPECT_EQ(split(*view).front(), train.packet(0, 1, true));
      EXPECT_EQ(slice_of(*view, 0, 1).vnet, train.vnet(0, 1));
    }
  }
}

}  // namespace
}  // namespace tw
