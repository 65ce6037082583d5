#include "lab/clients/pattern.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/ip/ip_packet.h"
#include "wire/ip/transport.h"

namespace tw::lab {
namespace {

constexpr std::uint64_t run = 0x1234567890abcdef;
constexpr std::size_t size = 200;

Stamp some_stamp() { return {.peer = 41, .measured = true, .sequence = 1'000'003, .due_ns = 77}; }

std::vector<std::uint8_t> written(const Pattern& pattern, const Stamp& stamp) {
  std::vector<std::uint8_t> bytes(pattern.size());
  pattern.write(bytes, stamp);
  return bytes;
}

TEST(Pattern, ReadsWhatItWrote) {
  const Pattern pattern{run, size};
  for (std::uint64_t sequence : {std::uint64_t{0}, std::uint64_t{255}, std::uint64_t{1} << 40U}) {
    Stamp stamp = some_stamp(), read;
    stamp.sequence = sequence;
    ASSERT_EQ(pattern.read(written(pattern, stamp), read), Reading::intact);
    EXPECT_EQ(read, stamp);
  }
}

TEST(Pattern, SeesEveryBitThatTurned) {
  const Pattern pattern{run, size};
  const auto good = written(pattern, some_stamp());
  for (std::size_t bit = 0; bit < size * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    Stamp read;
    const Reading reading = pattern.read(bad, read);
    EXPECT_EQ(reading, bit / 8 < 8 ? Reading::foreign : Reading::corrupt) << "bit " << bit;
    EXPECT_EQ(read, Stamp{});
  }
}

TEST(Pattern, SeesBytesMissingOrAdded) {
  const Pattern pattern{run, size};
  auto bytes = written(pattern, some_stamp());
  Stamp read;
  bytes.push_back(0);
  EXPECT_EQ(pattern.read(bytes, read), Reading::corrupt);
  bytes.resize(size - 1);
  EXPECT_EQ(pattern.read(bytes, read), Reading::corrupt);
  bytes.resize(Pattern::stamp_bytes - 1);
  EXPECT_EQ(pattern.read(bytes, read), Reading::foreign);
  EXPECT_EQ(pattern.read({}, read), Reading::foreign);
}

// Two packets whose ends were swapped are as wrong as noise.
TEST(Pattern, BytesBelongToTheirSequence) {
  const Pattern pattern{run, size};
  Stamp next = some_stamp();
  ++next.sequence;
  auto mixed = written(pattern, some_stamp());
  const auto other = written(pattern, next);
  std::copy(other.begin() + 100, other.end(), mixed.begin() + 100);
  Stamp read;
  EXPECT_EQ(pattern.read(mixed, read), Reading::corrupt);
}

TEST(Pattern, AnotherRunIsForeign) {
  const Pattern pattern{run, size}, before{run + 1, size};
  Stamp read;
  EXPECT_EQ(pattern.read(written(before, some_stamp()), read), Reading::foreign);
}

TEST(PacketWriter, WritesUdpThatAnyHostTakes) {
  const Pattern pattern{run, size};
  const Endpoint sink = *Endpoint::parse("10.200.0.1:7000");
  const Endpoint source = *Endpoint::parse("10.64.0.9:20007");
  const PacketWriter writer{pattern, sink};
  ASSERT_EQ(writer.size(), size + 28);
  for (std::uint64_t sequence = 0; sequence < 600; ++sequence) {
    Stamp stamp = some_stamp(), read;
    stamp.sequence = sequence;
    std::vector<std::uint8_t> packet(writer.size());
    writer.write(packet, source, stamp);

    const auto ip = IpPacketView::of(packet);
    ASSERT_TRUE(ip);
    EXPECT_EQ(ip->total_length, packet.size());
    InternetSum header;
    header.add(ByteView{packet}.first(20));
    EXPECT_EQ(header.checksum(), 0);
    const auto udp = UdpView::of(packet, *ip);
    ASSERT_TRUE(udp);
    EXPECT_EQ(udp->source_port, source.port);
    EXPECT_EQ(udp->target_port, sink.port);
    const ByteView segment = ByteView{packet}.subspan(20);
    InternetSum sum = pseudo_header_sum(ip->source, ip->target, protocol_udp,
                                        static_cast<std::uint32_t>(segment.size()));
    sum.add(segment);
    EXPECT_EQ(sum.checksum(), 0) << "sequence " << sequence;
    EXPECT_EQ(pattern.read(udp->payload, read), Reading::intact);
  }
}

}  // namespace
}  // namespace tw::lab
