// Trains inside UDP tunnels, as a TUN of Linux 6.17 hands them over: cut, and refused.
#include <gtest/gtest.h>

#include <vector>

#include "wire/ip/test_packet.h"
#include "wire/offload/gso.h"

namespace tw {
namespace {

using test::Bytes;
using test::Train;

/// A train behind the headers of a tunnel, by its fields.
struct TunnelTrain {
  bool v6 = false;           ///< the outer family
  bool summed = true;        ///< the outer UDP header has a checksum
  std::size_t options = 0;   ///< bytes in the outer IP header, as of a Train
  std::size_t between = 22;  ///< bytes behind the outer UDP header: VXLAN's, and an Ethernet header
  std::uint16_t identification = 0xfffe;
  Train inner{};

  std::size_t outer_transport() const { return (v6 ? 40 : 20) + options; }
  std::size_t inner_network() const { return outer_transport() + 8 + between; }

  /// As Train::packet. For one segment the outer checksum is finished even if the inner is not: it
  /// is right once the inner one is.
  Bytes packet(std::size_t first, std::size_t count, bool finished) const {
    const auto outer_of = [&](const Bytes& carried, bool finish) {
      Train outer{.v6 = v6,
                  .tcp = false,
                  .ip_options = options,
                  .identification = static_cast<std::uint16_t>(identification + first),
                  .gso_size = 65535};
      outer.payload = Bytes(between, 0xee);
      outer.payload.insert(outer.payload.end(), carried.begin(), carried.end());
      return outer.packet(0, 1, finish);
    };
    Bytes whole = outer_of(inner.packet(first, count, finished), false);
    Bytes summed_whole = outer_of(inner.packet(first, count, count == 1), count == 1);
    for (const std::size_t at : {outer_transport() + 6, outer_transport() + 7}) {
      whole[at] = summed ? summed_whole[at] : 0;
    }
    return whole;
  }
  Bytes whole() const { return packet(0, inner.segments(), false); }

  VnetHeader vnet(std::size_t first, std::size_t count) const {
    VnetHeader out = inner.vnet(first, count);
    out.csum_start = static_cast<std::uint16_t>(out.csum_start + inner_network());
    if (count == 1) return out;
    out.flags |= summed ? VnetHeader::udp_tunnel_csum : 0;
    out.gso_type |= v6 ? VnetHeader::gso_udp_tunnel6 : VnetHeader::gso_udp_tunnel4;
    out.header_length = static_cast<std::uint16_t>(out.header_length + inner_network());
    out.outer_transport = static_cast<std::uint16_t>(outer_transport());
    out.inner_network = static_cast<std::uint16_t>(inner_network());
    return out;
  }
  VnetHeader vnet() const { return vnet(0, inner.segments()); }
};

TunnelTrain random_tunnel_train(RandomSource& random) {
  TunnelTrain train{.v6 = random.next() % 2 == 0, .summed = random.next() % 3 != 0};
  if (random.next() % 3 == 0) train.options = 8 * (1 + random.next() % 3);
  train.between = 2 * (random.next() % 40);
  train.identification = static_cast<std::uint16_t>(random.next());
  do {
    train.inner = test::random_train(random);
  } while (train.inner.segments() == 1 || train.inner.payload.size() > 50'000);
  return train;
}

template <typename Check>
void for_random_trains(std::uint64_t rounds, Check&& check) {
  for (std::uint64_t seed = 0; seed < rounds; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random{seed};
    const TunnelTrain train = random_tunnel_train(random);
    const Bytes packet = train.whole();
    const auto view = GsoView::of(packet, train.vnet());
    ASSERT_TRUE(view);
    EXPECT_EQ(view->segment_count(), train.inner.segments());
    check(train, *view, random);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(GsoTunnel, SplitGivesThePacketsOfASenderWithoutOffloads) {
  for_random_trains(300, [](const TunnelTrain& train, const GsoView& view, RandomSource&) {
    for (std::size_t i = 0; i < view.segment_count(); ++i) {
      Bytes out(view.segment_length(i));
      EXPECT_EQ(view.segment(i, out), out.size());
      EXPECT_EQ(out, train.packet(i, 1, true)) << "segment " << i;
    }
  });
}

TEST(GsoTunnel, ASliceIsATrainOfItsOwn) {
  for_random_trains(200, [](const TunnelTrain& train, const GsoView& view, RandomSource& random) {
    const std::size_t first = random.next() % view.segment_count();
    const std::size_t count = 1 + random.next() % (view.segment_count() - first);
    Bytes out(view.slice_length(first, count));
    const GsoSlice made = view.slice(first, count, out);
    EXPECT_EQ(out, train.packet(first, count, false));
    EXPECT_EQ(made.vnet, train.vnet(first, count));
    const auto again = GsoView::of(out, made.vnet);
    ASSERT_TRUE(again);
    const std::size_t inner = random.next() % count;
    Bytes segment(again->segment_length(inner));
    again->segment(inner, segment);
    EXPECT_EQ(segment, train.packet(first + inner, 1, true));
  });
}

TEST(GsoTunnel, GoesWhereTheOuterHeaderSays) {
  TunnelTrain train{.v6 = true};
  train.inner.tos = 0xb8;
  train.inner.payload = Bytes(3000, 1);
  const Bytes packet = train.whole();
  const auto view = GsoView::of(packet, train.vnet());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->target().size(), 16U);
  EXPECT_EQ(view->target().data(), packet.data() + 24);
  EXPECT_EQ(view->traffic_class(), 0);
}

TEST(GsoTunnel, TheLongerHeaderIsReadAsItIsWritten) {
  TunnelTrain train{.v6 = true};
  train.inner.payload = Bytes(3000, 1);
  std::array<std::uint8_t, VnetHeader::tunnel_size> bytes;
  bytes.fill(0xff);
  train.vnet().store(bytes);
  EXPECT_EQ(VnetHeader::load(bytes), train.vnet());
  EXPECT_EQ(bytes[10], 0);
  EXPECT_EQ(bytes[20], 40);
  EXPECT_EQ(bytes[21], 0);
  EXPECT_EQ(bytes[22], 70);
  const VnetHeader plain = VnetHeader::load(ByteView{bytes}.first(VnetHeader::plain_size));
  EXPECT_EQ(plain.outer_transport, 0);
  EXPECT_EQ(plain.csum_start, train.vnet().csum_start);
}

// ---- What is refused

bool admitted(const Bytes& packet, const VnetHeader& vnet) {
  return GsoView::of(packet, vnet).has_value();
}

TunnelTrain train_of(bool outer_v6, bool inner_v6, bool tcp) {
  TunnelTrain train{.v6 = outer_v6, .inner = {.v6 = inner_v6, .tcp = tcp}};
  train.inner.payload = Bytes(3000, 1);
  return train;
}

template <typename Check>
void for_every_kind(Check&& check) {
  for (unsigned kind = 0; kind < 8; ++kind) {
    check(train_of((kind & 1U) != 0, (kind & 2U) != 0, (kind & 4U) != 0));
  }
}

TEST(GsoTunnel, RefusesTypesThatDoNotFitThePacket) {
  for_every_kind([](const TunnelTrain& train) {
    const Bytes packet = train.whole();
    for (unsigned type = 1; type < 256; ++type) {
      VnetHeader vnet = train.vnet();
      const std::uint8_t right = vnet.gso_type;
      vnet.gso_type = static_cast<std::uint8_t>(type);
      const bool marked_tcp = train.inner.tcp && type == (right | VnetHeader::gso_ecn);
      EXPECT_EQ(admitted(packet, vnet), type == right || marked_tcp) << type;
    }
  });
}

TEST(GsoTunnel, RefusesEveryOtherPlaceOfTheHeaders) {
  for_every_kind([](const TunnelTrain& train) {
    const Bytes packet = train.whole();
    const VnetHeader right = train.vnet();
    for (unsigned at = 0; at < 1000; ++at) {
      VnetHeader vnet = right;
      vnet.outer_transport = static_cast<std::uint16_t>(at);
      EXPECT_EQ(admitted(packet, vnet), vnet == right) << at;
      vnet = right;
      vnet.inner_network = static_cast<std::uint16_t>(at);
      EXPECT_EQ(admitted(packet, vnet), vnet == right) << at;
      vnet = right;
      vnet.csum_start = static_cast<std::uint16_t>(at);
      EXPECT_EQ(admitted(packet, vnet), vnet == right) << at;
    }
  });
}

TEST(GsoTunnel, RefusesEveryTruncationAndPadding) {
  for_every_kind([](const TunnelTrain& train) {
    const Bytes packet = train.whole();
    for (std::size_t size = 0; size < packet.size(); ++size) {
      const Bytes part(packet.begin(), packet.begin() + static_cast<long>(size));
      EXPECT_FALSE(admitted(part, train.vnet()));
    }
    Bytes padded = packet;
    padded.push_back(0);
    EXPECT_FALSE(admitted(padded, train.vnet()));
  });
}

TEST(GsoTunnel, RefusesLengthsThatDisagree) {
  for_every_kind([](const TunnelTrain& train) {
    const Bytes good = train.whole();
    const std::size_t outer = train.outer_transport(), inner = train.inner_network();
    for (const std::size_t low_byte :
         {std::size_t{train.v6 ? 5U : 3U}, outer + 5, inner + (train.inner.v6 ? 5 : 3)}) {
      for (const int change : {-1, 1}) {
        Bytes packet = good;
        packet[low_byte] = static_cast<std::uint8_t>(packet[low_byte] + change);
        EXPECT_FALSE(admitted(packet, train.vnet())) << low_byte;
      }
    }
    VnetHeader vnet = train.vnet();
    vnet.gso_size = 0;
    EXPECT_FALSE(admitted(good, vnet));
  });
}

TEST(GsoTunnel, RefusesFragmentsAndOtherProtocolsOutside) {
  TunnelTrain train = train_of(false, false, true);
  Bytes packet = train.whole();
  packet[6] |= 0x20U;
  EXPECT_FALSE(admitted(packet, train.vnet()));
  packet = train.whole();
  packet[9] = 6;
  EXPECT_FALSE(admitted(packet, train.vnet()));
  packet = train.whole();
  packet[train.inner_network() + 6] |= 0x20U;
  EXPECT_FALSE(admitted(packet, train.vnet()));
}

TEST(GsoTunnel, RefusesAnOuterChecksumThatNobodyWillMake) {
  TunnelTrain train = train_of(false, false, true);
  VnetHeader vnet = train.vnet();
  vnet.flags = VnetHeader::needs_csum;
  EXPECT_FALSE(admitted(train.whole(), vnet));
  train.summed = false;
  EXPECT_TRUE(admitted(train.whole(), vnet));
  vnet.flags = VnetHeader::udp_tunnel_csum;  // the inner one is not made then
  EXPECT_FALSE(admitted(train.whole(), vnet));
}

TEST(GsoTunnel, RefusesTunnelHeadersThatAreOddOrEndless) {
  TunnelTrain train = train_of(false, true, true);
  for (const std::size_t between : {std::size_t{0}, std::size_t{21}, std::size_t{22},
                                    std::size_t{282}, std::size_t{512}, std::size_t{514}}) {
    train.between = between;
    EXPECT_EQ(admitted(train.whole(), train.vnet()), between % 2 == 0 && between <= 512) << between;
  }
}

}  // namespace
}  // namespace tw
