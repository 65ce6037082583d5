// Needs root: each test runs in a thread with a network namespace of its own, which is gone when
// the thread and its descriptors are.
#include "port/tun/tun_port.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "port/emulated/test_packets.h"
#include "port/tun/test_tun.h"
#include "port/udp/sockets.h"
#include "wire/checksum.h"
#include "wire/ip/ip_packet.h"
#include "wire/offload/gso.h"
#include "wire/sockaddr.h"

namespace tw {
namespace {

struct Device {
  explicit Device(const TunOptions& options) {
    auto opened = open_tun("tunport%d", options);
    EXPECT_TRUE(opened) << opened.error().text();
    device = std::move(*opened);
    configure_tun(device.name, "255.255.255.0", true);
  }
  TunDevice device;
};

UniqueFd udp_socket() {
  auto opened = open_udp({.family = Family::v4, .address = IpAddress::parse("10.0.0.1")});
  EXPECT_TRUE(opened);
  const SocketAddress to = to_sockaddr({*IpAddress::parse("10.0.0.2"), 7});
  EXPECT_EQ(::connect(opened->fd.get(), to.get(), to.length), 0);
  return std::move(opened->fd);
}

// Packets that the device sends by itself (IPv6 router solicitations and the like) are left out.
std::size_t poll_udp(TunPort& port, PacketBatch& batch) {
  batch.clear();
  port.poll(batch);
  return static_cast<std::size_t>(std::ranges::count_if(batch.trains(), [](const Train& train) {
    const auto packet = IpPacketView::of(train.all());
    return packet && packet->version == 4 && packet->protocol == IPPROTO_UDP;
  }));
}
const Train& first_udp(const PacketBatch& batch) {
  return *std::ranges::find_if(batch.trains(), [](const Train& train) {
    const auto packet = IpPacketView::of(train.all());
    return packet && packet->version == 4 && packet->protocol == IPPROTO_UDP;
  });
}

// Turns a packet round: what the far end would answer.
void swap_ends(ByteSpan packet) {
  std::swap_ranges(packet.begin() + 12, packet.begin() + 16, packet.begin() + 16);
  std::swap_ranges(packet.begin() + 20, packet.begin() + 22, packet.begin() + 22);
}

TEST(TunPort, SinglePacketsGoBothWays) {
  in_namespace([] {
    for (const bool vnet : {true, false}) {
      Device tun{{.vnet_header = vnet}};
      EXPECT_GT(tun.device.ifindex, 0);
      EXPECT_EQ(tun.device.name.find('%'), std::string::npos);
      TunPort port{std::move(tun.device.queues[0]), tun.device.vnet_bytes};
      const UniqueFd socket = udp_socket();
      ASSERT_EQ(::send(socket.get(), "hello", 5, 0), 5);
      PacketBatch batch{16, 65'536};
      ASSERT_EQ(poll_udp(port, batch), 1U);
      const Train& train = first_udp(batch);
      ASSERT_EQ(train.length, 33U);
      EXPECT_EQ(train.segment_size, 33U);
      ASSERT_TRUE(complete_checksum(train.all(), train.vnet) || !vnet);
      swap_ends(train.all());  // leaves the checksum right
      Train answer = train;
      answer.vnet = {};
      EXPECT_EQ(port.send({&answer, 1}).taken, 1U);
      std::array<char, 16> received{};
      ASSERT_EQ(::recv(socket.get(), received.data(), received.size(), MSG_DONTWAIT), 5);
      EXPECT_STREQ(received.data(), "hello");
      EXPECT_EQ(poll_udp(port, batch), 0U);
    }
  });
}

// With USO a train comes out of the host in one read, and goes in again by one write.
TEST(TunPort, TrainsGoBothWaysWhole) {
  in_namespace([] {
    Device tun{{.vnet_header = true, .mtu = 1420}};
    if (!tun.device.offloads.udp_segmentation) GTEST_SKIP() << "kernel without USO";
    EXPECT_TRUE(tun.device.offloads.tcp_segmentation);
    TunPort port{std::move(tun.device.queues[0]), tun.device.vnet_bytes};
    const UniqueFd socket = udp_socket();
    const int size = 1000;
    ASSERT_EQ(::setsockopt(socket.get(), SOL_UDP, UDP_SEGMENT, &size, sizeof size), 0);
    const std::vector<std::uint8_t> payload = udp_packet(20'500).bytes;
    ASSERT_EQ(::send(socket.get(), payload.data(), payload.size(), 0), 20'500);
    PacketBatch batch{16, 65'536};
    ASSERT_EQ(poll_udp(port, batch), 1U);
    Train train = first_udp(batch);
    EXPECT_EQ(train.vnet.gso_type, VnetHeader::gso_udp_l4);
    EXPECT_EQ(train.vnet.gso_size, 1000U);
    const auto gso = GsoView::of(train.all(), train.vnet);
    ASSERT_TRUE(gso);
    EXPECT_EQ(gso->segment_count(), 21U);

    swap_ends(train.all());
    EXPECT_EQ(port.send({&train, 1}).taken, 1U);
    std::vector<std::uint8_t> received(65'536);
    std::size_t came = 0;
    while (came < payload.size()) {
      const ssize_t got =
          ::recv(socket.get(), received.data() + came, received.size() - came, MSG_DONTWAIT);
      ASSERT_GT(got, 0);
      came += static_cast<std::size_t>(got);
    }
    received.resize(came);
    EXPECT_EQ(received, payload);
  });
}

TEST(TunPort, RefusesAreToldAndCounted) {
  in_namespace([] {
    Device plain{{.vnet_header = false}};
    TunPort port{std::move(plain.device.queues[0]), 0};
    const TestPacket train_packet = tcp_train(5000, 1000), good = udp_packet(100);
    const std::array trains{good.train(), train_packet.train(), good.train()};
    SendResult result = port.send(trains);
    EXPECT_EQ(result.taken, 1U);
    EXPECT_EQ(result.os_errno, EINVAL);  // needs a vnet header
    configure_tun(plain.device.name, "255.255.255.0", false);
    result = port.send(trains);
    EXPECT_EQ(result.taken, 0U);
    EXPECT_EQ(result.os_errno, EIO);  // the device is down
    EXPECT_EQ(port.counters().write_errors.value(), 2U);
  });
}

TEST(OpenTun, MakesAllQueuesOfOneDevice) {
  in_namespace([] {
    const auto opened = open_tun("many", {.queues = 4, .mtu = 1400});
    ASSERT_TRUE(opened) << opened.error().text();
    EXPECT_EQ(opened->queues.size(), 4U);
    EXPECT_EQ(opened->name, "many");
    const auto again = open_tun("many", {});
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().text().find("many"), std::string::npos);
  });
}

TEST(OpenTun, RefusesWhatIsNoName) {
  for (const char* name : {"", "a-name-of-16-byte"}) {
    const auto opened = open_tun(name, {});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, Error::Kind::config);
  }
}

/// A train of two TCP segments, as far as its vnet header goes.
Train tcp_train(std::vector<std::uint8_t>& packet, std::uint16_t gso_size) {
  packet.assign(20 + 20 + 200, 0);
  packet[0] = 0x45;
  Train train;
  train.bytes = packet.data();
  train.length = train.segment_size = static_cast<std::uint32_t>(packet.size());
  train.vnet.flags = VnetHeader::needs_csum;
  train.vnet.gso_type = VnetHeader::gso_tcp4;
  train.vnet.header_length = 40;
  train.vnet.gso_size = gso_size;
  train.vnet.csum_start = 20;
  train.vnet.csum_offset = 16;
  return train;
}

TEST(TunPort, WithoutAVnetHeaderItTakesNoTrains) {
  in_namespace([] {
    Device made{{.vnet_header = false}};
    TunPort port{std::move(made.device.queues.front()), 0};
    EXPECT_FALSE(port.capabilities().tcp_trains);
    EXPECT_FALSE(port.capabilities().checksums);
    std::vector<std::uint8_t> packet;
    const Train train = tcp_train(packet, 100);
    const SendResult result = port.send({&train, 1});
    EXPECT_EQ(result.taken, 0U);
    EXPECT_TRUE(result.unsupported);
  });
}

// The kernel refuses a train, here because its header is none: no other is offered to it.
TEST(TunPort, AKindThatIsRefusedIsNoCapabilityAnyMore) {
  in_namespace([] {
    Device made{{}};
    TunPort port{std::move(made.device.queues.front()), made.device.vnet_bytes};
    EXPECT_TRUE(port.capabilities().tcp_trains && port.capabilities().udp_trains);
    std::vector<std::uint8_t> packet;
    const Train train = tcp_train(packet, 0);
    const SendResult result = port.send({&train, 1});
    EXPECT_EQ(result.os_errno, EINVAL);
    EXPECT_TRUE(result.unsupported);
    EXPECT_FALSE(port.capabilities().tcp_trains);
    EXPECT_TRUE(port.capabilities().udp_trains);
    port.take_only(true, false);
    EXPECT_FALSE(port.capabilities().tcp_trains) << "what is gone does not come back";
    EXPECT_FALSE(port.capabilities().udp_trains);
  });
}

}  // namespace
}  // namespace tw
