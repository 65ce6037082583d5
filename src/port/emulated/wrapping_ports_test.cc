#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "port/emulated/fault_port.h"
#include "port/emulated/forwarder.h"
#include "port/emulated/memory_port.h"
#include "port/emulated/pcap_port.h"
#include "port/emulated/test_packets.h"
#include "wire/ip/ip_packet.h"

namespace tw {
namespace {

class WrappingPortsTest : public ::testing::Test {
 protected:
  WrappingPortsTest() { MemoryPort::join(near_, far_); }
  void send(MemoryPort& from, const TestPacket& packet) {
    const Train train = packet.train();
    ASSERT_EQ(from.send({&train, 1}).taken, 1U);
  }
  std::vector<std::vector<std::uint8_t>> drain(Port& port) {
    std::vector<std::vector<std::uint8_t>> all;
    PacketBatch batch{8, 65'536};
    do {
      batch.clear();
      port.poll(batch);
      for (const Train& train : batch.trains()) {
        all.emplace_back(train.all().begin(), train.all().end());
      }
    } while (!batch.empty() || !port.arm());
    return all;
  }
  ManualClock clock_;
  MemoryPort near_, far_;
};

TEST_F(WrappingPortsTest, MemoryPortIsBoundedAndRefusesOnRequest) {
  MemoryPort left{2}, right{2};
  MemoryPort::join(left, right);
  const TestPacket packet = udp_packet(100);
  const std::array trains{packet.train(), packet.train(), packet.train()};
  SendResult result = left.send(trains);
  EXPECT_EQ(result.taken, 2U);
  EXPECT_EQ(result.os_errno, EAGAIN);
  EXPECT_FALSE(right.arm());
  EXPECT_EQ(drain(right).size(), 2U);
  EXPECT_TRUE(right.arm());
  left.refuse_sends(EIO);
  result = left.send(trains);
  EXPECT_EQ(result.taken, 0U);
  EXPECT_EQ(result.os_errno, EIO);
}

TEST_F(WrappingPortsTest, FaultsHappenAsOftenAsAskedAndAreCounted) {
  FaultPort port{near_, {.drop = 0.2, .duplicate = 0.1, .reorder = 0.1, .corrupt = 0.1, .seed = 2}};
  std::vector<std::vector<std::uint8_t>> arrived;
  for (std::size_t i = 0; i < 1000; ++i) {
    send(far_, udp_packet(100 + i));
    if (i % 37 == 0) std::ranges::move(drain(port), std::back_inserter(arrived));
  }
  std::ranges::move(drain(port), std::back_inserter(arrived));
  const FaultCounters& counters = port.counters();
  EXPECT_NEAR(static_cast<double>(counters.dropped.value()), 200, 60);
  EXPECT_NEAR(static_cast<double>(counters.duplicated.value()), 80, 40);
  EXPECT_NEAR(static_cast<double>(counters.corrupted.value()), 80, 40);
  EXPECT_GT(counters.reordered.value(), 20U);
  EXPECT_EQ(arrived.size(), 1000 - counters.dropped.value() + counters.duplicated.value());
  std::uint64_t damaged = 0;
  for (const auto& bytes : arrived) damaged += bytes != udp_packet(bytes.size()).bytes ? 1 : 0;
  EXPECT_GE(damaged, counters.corrupted.value());
  EXPECT_LE(damaged, 2 * counters.corrupted.value());  // a damaged one may be doubled
  EXPECT_FALSE(std::ranges::is_sorted(arrived, {}, &std::vector<std::uint8_t>::size));
}

TEST_F(WrappingPortsTest, NoFaultsMeansNoChangeAndTheLastOneIsNotHeldForEver) {
  FaultPort quiet{near_, {}};
  for (std::size_t i = 0; i < 50; ++i) send(far_, udp_packet(100 + i));
  const auto arrived = drain(quiet);
  ASSERT_EQ(arrived.size(), 50U);
  EXPECT_TRUE(std::ranges::is_sorted(arrived, {}, &std::vector<std::uint8_t>::size));

  FaultPort swapping{near_, {.reorder = 1}};
  send(far_, udp_packet(100));
  EXPECT_EQ(drain(swapping).size(), 1U);
}

TEST_F(WrappingPortsTest, ForwarderMovesAndCountsWhatIsRefused) {
  MemoryPort out, end;
  MemoryPort::join(out, end);
  Forwarder forwarder{near_, out};
  EXPECT_TRUE(forwarder.wait_fds().empty());
  for (std::size_t i = 0; i < 40; ++i) send(far_, udp_packet(100 + i));
  EXPECT_FALSE(forwarder.arm());
  EXPECT_EQ(forwarder.poll(clock_.now(), 256).packets, 40U);
  EXPECT_EQ(forwarder.poll(clock_.now(), 256).packets, 0U);
  EXPECT_EQ(drain(end).size(), 40U);
  out.refuse_sends(EIO);
  for (std::size_t i = 0; i < 5; ++i) send(far_, udp_packet(100));
  EXPECT_EQ(forwarder.poll(clock_.now(), 256).packets, 5U);
  EXPECT_EQ(forwarder.counters().forwarded.value(), 40U);
  EXPECT_EQ(forwarder.counters().refused.value(), 5U);
}

class PcapPortTest : public WrappingPortsTest {
 protected:
  PcapPortTest() {
    std::string name = ::testing::TempDir() + "pcap_port_test_XXXXXX";
    UniqueFd made{::mkstemp(name.data())};
    path_ = name;
  }
  ~PcapPortTest() override { ::unlink(path_.c_str()); }
  std::vector<std::uint8_t> file() const {
    std::ifstream stream{path_, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, {}};
  }
  std::string path_;
};

std::uint32_t number_at(const std::vector<std::uint8_t>& file, std::size_t offset) {
  std::uint32_t number = 0;
  std::memcpy(&number, file.data() + offset, sizeof number);
  return number;
}

TEST_F(PcapPortTest, WritesBothDirectionsInOrder) {
  const TestPacket one = udp_packet(100), two = tcp_train(3000, 1000);
  {
    auto tap = PcapPort::open(near_, clock_, path_, 1'000'000);
    ASSERT_TRUE(tap);
    send(far_, one);
    EXPECT_EQ(drain(*tap).size(), 1U);
    const Train train = two.train();
    EXPECT_EQ(tap->send({&train, 1}).taken, 1U);
  }
  const auto bytes = file();
  ASSERT_EQ(bytes.size(), 24 + 16 + 100 + 16 + 3040U);
  EXPECT_EQ(number_at(bytes, 0), 0xa1b2c3d4);
  EXPECT_EQ(number_at(bytes, 20), 101U);
  EXPECT_EQ(number_at(bytes, 24), 1'700'000'000U);
  EXPECT_EQ(number_at(bytes, 32), 100U);
  EXPECT_TRUE(std::equal(one.bytes.begin(), one.bytes.end(), bytes.begin() + 40));
  EXPECT_EQ(number_at(bytes, 140 + 12), 3040U);
  EXPECT_EQ(drain(far_).size(), 1U);
}

TEST_F(PcapPortTest, DatagramsGetHeadersOfTheirOwn) {
  {
    auto tap = PcapPort::open(near_, clock_, path_, 1'000'000);
    ASSERT_TRUE(tap);
    for (const char* address : {"192.0.2.7", "2001:db8::7"}) {
      TestPacket packet;
      packet.bytes.assign(250, 0x5a);
      Train train = packet.train();
      train.segment_size = 100;
      train.source = {*IpAddress::parse(address), 4500};
      ASSERT_EQ(far_.send({&train, 1}).taken, 1U);
    }
    EXPECT_EQ(drain(*tap).size(), 2U);
  }
  const auto bytes = file();
  ASSERT_EQ(bytes.size(), 24 + 6 * 16 + 3 * 28 + 3 * 48 + 500U);
  const ByteView first{bytes.data() + 40, 128};
  const auto v4 = IpPacketView::of(first);
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->total_length, 128U);
  EXPECT_EQ(IpAddress::from_bytes(v4->source).text(), "192.0.2.7");
  EXPECT_EQ(load_be16(first, 20), 4500U);
  const std::size_t v6_begin = 24 + 3 * 16 + 3 * 28 + 250 + 16;
  const auto v6 = IpPacketView::of(ByteView{bytes.data() + v6_begin, 148});
  ASSERT_TRUE(v6);
  EXPECT_EQ(IpAddress::from_bytes(v6->source).text(), "2001:db8::7");
}

TEST_F(PcapPortTest, StopsAtItsBoundAndTheTrafficGoesOn) {
  auto tap = PcapPort::open(near_, clock_, path_, 300);
  ASSERT_TRUE(tap);
  for (int i = 0; i < 5; ++i) send(far_, udp_packet(100));
  EXPECT_EQ(drain(*tap).size(), 5U);
  EXPECT_FALSE(tap->is_tapping());
  EXPECT_EQ(file().size(), 24 + 2 * 116U);
}

TEST_F(PcapPortTest, FullDiskStopsTheTapOnly) {
  auto tap = PcapPort::open(near_, clock_, "/dev/full", 1'000'000);
  ASSERT_TRUE(tap);
  for (int i = 0; i < 5; ++i) send(far_, udp_packet(100));
  EXPECT_EQ(drain(*tap).size(), 5U);
  EXPECT_FALSE(tap->is_tapping());
  send(far_, udp_packet(100));
  EXPECT_EQ(drain(*tap).size(), 1U);
}

TEST_F(PcapPortTest, FileThatCannotBeMadeIsAnError) {
  const auto tap = PcapPort::open(near_, clock_, "/nonexistent/file.pcap", 1000);
  ASSERT_FALSE(tap);
  EXPECT_EQ(tap.error().os_errno, ENOENT);
}

}  // namespace
}  // namespace tw
