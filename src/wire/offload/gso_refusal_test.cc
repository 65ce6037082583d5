// GsoView::of must refuse everything a VnetHeader or the packet behind it can say wrong.
#include <gtest/gtest.h>

#include <initializer_list>

#include "wire/ip/test_packet.h"
#include "wire/offload/gso.h"

namespace tw {
namespace {

using test::Bytes;
using test::Train;

Train train_of(bool v6, bool tcp) {
  Train train{.v6 = v6, .tcp = tcp};
  train.payload = Bytes(3000, 1);
  return train;
}

bool admitted(const Bytes& packet, const VnetHeader& vnet) {
  return GsoView::of(packet, vnet).has_value();
}

TEST(GsoRefusal, TypesThatDoNotFitThePacket) {
  for (const bool v6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      const Train train = train_of(v6, tcp);
      const Bytes packet = train.whole();
      for (unsigned type = 1; type < 256; ++type) {
        VnetHeader vnet = train.vnet();
        const std::uint8_t right = vnet.gso_type;
        vnet.gso_type = static_cast<std::uint8_t>(type);
        const bool marked_tcp = tcp && type == (right | VnetHeader::gso_ecn);
        EXPECT_EQ(admitted(packet, vnet), type == right || marked_tcp) << type;
      }
    }
  }
}

TEST(GsoRefusal, FlagsOfOtherKinds) {
  const Train train = train_of(false, true);
  for (unsigned flags = 0; flags < 256; ++flags) {
    VnetHeader vnet = train.vnet();
    vnet.flags = static_cast<std::uint8_t>(flags);
    EXPECT_EQ(admitted(train.whole(), vnet), flags == 1 || flags == 3) << flags;
    vnet = {};
    vnet.flags = static_cast<std::uint8_t>(flags & 0xfeU);
    EXPECT_EQ(admitted(train.packet(0, 1, true), vnet), (flags & 0xfcU) == 0) << flags;
  }
}

TEST(GsoRefusal, ChecksumPlacesOfATrain) {
  for (const bool tcp : {false, true}) {
    const Train train = train_of(true, tcp);
    const Bytes packet = train.whole();
    for (std::size_t start = 0; start < 100; ++start) {
      for (std::size_t offset = 0; offset < 40; ++offset) {
        VnetHeader vnet = train.vnet();
        vnet.csum_start = static_cast<std::uint16_t>(start);
        vnet.csum_offset = static_cast<std::uint16_t>(offset);
        EXPECT_EQ(admitted(packet, vnet), start == 40 && offset == train.sum_offset());
      }
    }
  }
}

TEST(GsoRefusal, ChecksumPlacesOfASinglePacketOutsideOfWhatIpCarries) {
  const Train train = train_of(false, true);
  Bytes packet = train.packet(0, 1, false);
  const std::size_t size = packet.size();
  packet.resize(size + 50);  // padding
  const auto with = [&](std::size_t start, std::size_t offset) {
    VnetHeader vnet = train.vnet(0, 1);
    vnet.csum_start = static_cast<std::uint16_t>(start);
    vnet.csum_offset = static_cast<std::uint16_t>(offset);
    const Bytes before = packet;
    const bool completed = complete_checksum(packet, vnet);
    EXPECT_EQ(completed, admitted(before, vnet));
    if (!completed) {
      EXPECT_EQ(packet, before);
    }
    return completed;
  };
  EXPECT_TRUE(with(20, 16));
  EXPECT_TRUE(with(20, size - 22));
  EXPECT_FALSE(with(20, size - 21));
  EXPECT_FALSE(with(19, 16));
  EXPECT_FALSE(with(0, 10));
  EXPECT_FALSE(with(size, 0));
  EXPECT_FALSE(with(65535, 65535));
  EXPECT_FALSE(with(20, 65535));
}

TEST(GsoRefusal, ASegmentSizeOfZero) {
  const Train train = train_of(false, true);
  VnetHeader vnet = train.vnet();
  vnet.gso_size = 0;
  EXPECT_FALSE(admitted(train.whole(), vnet));
}

TEST(GsoRefusal, HeaderLengthIsIgnored) {
  for (const bool tcp : {false, true}) {
    const Train train = train_of(false, tcp);
    const Bytes packet = train.whole();
    for (const std::uint16_t hint : std::initializer_list<std::uint16_t>{0, 1, 39, 60, 65535}) {
      VnetHeader vnet = train.vnet();
      vnet.header_length = hint;
      const auto view = GsoView::of(packet, vnet);
      ASSERT_TRUE(view);
      EXPECT_EQ(view->header_size(), train.headers());
      Bytes out(view->slice_length(0, 2));
      EXPECT_EQ(view->slice(0, 2, out).vnet.header_length, train.headers());
    }
  }
}

TEST(GsoRefusal, EveryTruncationAndPadding) {
  for (const bool v6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      const Train train = train_of(v6, tcp);
      const Bytes packet = train.whole();
      for (std::size_t size = 0; size < packet.size(); ++size) {
        const Bytes part(packet.begin(), packet.begin() + static_cast<long>(size));
        EXPECT_FALSE(admitted(part, train.vnet()));
      }
      Bytes padded = packet;
      padded.push_back(0);
      EXPECT_FALSE(admitted(padded, train.vnet()));
    }
  }
}

TEST(GsoRefusal, TransportHeadersThatDoNotFit) {
  Train train = train_of(false, true);
  Bytes packet = train.whole();
  packet[32] = 0x40;  // 16 bytes
  EXPECT_FALSE(admitted(packet, train.vnet()));
  train.payload = Bytes(10, 1);
  packet = train.packet(0, 1, false);
  packet[32] = 0xf0;  // 60 bytes, of which 30 are there
  EXPECT_FALSE(admitted(packet, train.vnet(0, 2)));
  const Train udp = train_of(false, false);
  for (const int change : {-1, 1}) {
    packet = udp.whole();
    packet[25] = static_cast<std::uint8_t>(packet[25] + change);
    EXPECT_FALSE(admitted(packet, udp.vnet()));
  }
}

TEST(GsoRefusal, Fragments) {
  const Train train = train_of(false, true);
  Bytes packet = train.whole();
  packet[6] |= 0x20U;
  EXPECT_FALSE(admitted(packet, train.vnet()));
  packet[6] = 0x40;
  packet[7] = 5;
  EXPECT_FALSE(admitted(packet, train.vnet()));
}

TEST(GsoRefusal, ATrainIsNotCompletedAsASinglePacket) {
  const Train train = train_of(false, true);
  Bytes packet = train.whole();
  const Bytes before = packet;
  EXPECT_FALSE(complete_checksum(packet, train.vnet()));
  EXPECT_EQ(packet, before);
}

}  // namespace
}  // namespace tw
