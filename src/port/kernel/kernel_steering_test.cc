// The program that chooses the TUN's queue, on built packets and behind a real TUN. Needs root.
// Steering from the wire is tested beside the lanes: src/lane/kernel_steering_test.cc
#include "port/kernel/kernel_steering.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "port/kernel/test_program.h"
#include "port/tun/test_tun.h"
#include "port/udp/sockets.h"
#include "wire/sockaddr.h"

namespace tw {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t workers = 4;

std::uint16_t bucket_of(std::uint16_t worker) { return static_cast<std::uint16_t>(4000 + worker); }

class HostSteeringTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<KernelSteering> loaded =
        KernelSteering::load(std::array<std::uint16_t, KernelSteering::rounds>{}, workers);
    if (!loaded) GTEST_SKIP() << "needs CAP_BPF: " << loaded.error().text();
    steering_ = std::make_unique<KernelSteering>(std::move(*loaded));
    for (std::uint16_t worker = 0; worker < workers; ++worker) {
      steering_->assign(bucket_of(worker), worker);
    }
  }
  void route(std::string_view prefix, std::uint16_t worker) {
    ASSERT_TRUE(steering_->set_route(*Prefix::parse(prefix), bucket_of(worker)));
  }
  std::uint32_t run(const Bytes& packet) {
    return run_on_packet(steering_->host_program_fd(), packet);
  }
  std::uint32_t queue_of(std::string_view target) {
    const IpAddress address = *IpAddress::parse(target);
    Bytes packet(100);
    packet[0] = address.is_v4() ? 0x45 : 0x60;
    std::ranges::copy(address.bytes(), packet.begin() + (address.is_v4() ? 16 : 24));
    return run(packet);
  }

  std::unique_ptr<KernelSteering> steering_;
};

TEST_F(HostSteeringTest, TheLongestPrefixOfTheDestinationDecides) {
  route("10.0.0.0/8", 1);
  route("10.1.0.0/16", 2);
  route("10.1.2.3/32", 3);
  route("2001:db8::/32", 1);
  route("2001:db8:1::/48", 2);
  route("2001:db8:1::7/128", 3);
  EXPECT_EQ(queue_of("10.9.9.9"), 1U);
  EXPECT_EQ(queue_of("10.1.9.9"), 2U);
  EXPECT_EQ(queue_of("10.1.2.3"), 3U);
  EXPECT_EQ(queue_of("2001:db8:ffff::1"), 1U);
  EXPECT_EQ(queue_of("2001:db8:1::1"), 2U);
  EXPECT_EQ(queue_of("2001:db8:1::7"), 3U);
}

// An IPv4 address is the first bytes of some IPv6 address: the two are looked up apart.
TEST_F(HostSteeringTest, TheFamiliesDoNotMeet) {
  route("0.0.0.0/0", 2);
  route("::/0", 3);
  EXPECT_EQ(queue_of("192.0.2.1"), 2U);
  EXPECT_EQ(queue_of("c000:201::"), 3U);
  steering_->remove_route(*Prefix::parse("::/0"));
  EXPECT_EQ(queue_of("c000:201::"), 0U);
  EXPECT_EQ(queue_of("192.0.2.1"), 2U);
}

TEST_F(HostSteeringTest, WhatGoesNowhereIsTheFirstWorkers) {
  route("10.1.0.0/16", 2);
  EXPECT_EQ(queue_of("10.2.0.0"), 0U);
  EXPECT_EQ(queue_of("2001:db8::1"), 0U);
  steering_->remove_route(*Prefix::parse("10.1.0.0/16"));
  steering_->remove_route(*Prefix::parse("10.1.0.0/16"));
  EXPECT_EQ(queue_of("10.1.2.3"), 0U);
}

TEST_F(HostSteeringTest, TakesAnyBytes) {
  route("0.0.0.0/0", 2);
  route("::/0", 3);
  for (const std::size_t length : {1U, 4U, 15U, 19U, 39U}) {
    Bytes packet(length);
    for (unsigned first = 0; first < 256; ++first) {
      packet[0] = static_cast<std::uint8_t>(first);
      const bool has_target =
          (first >> 4U == 4 && length >= 20) || (first >> 4U == 6 && length >= 40);
      if (!has_target) EXPECT_EQ(run(packet), 0U) << first << ' ' << length;
    }
  }
}

/// The queue whose next IPv4 packet to `target` waits; what the device says by itself is passed by.
std::optional<std::size_t> queue_with(const std::vector<UniqueFd>& queues,
                                      const IpAddress& target) {
  std::optional<std::size_t> found;
  for (std::size_t queue = 0; queue < queues.size(); ++queue) {
    Bytes packet(65'536);
    for (ssize_t size; (size = ::read(queues[queue].get(), packet.data(), packet.size())) > 0;) {
      if (size >= 20 && packet[0] >> 4U == 4 &&
          std::ranges::equal(ByteView{packet}.subspan(16, 4), target.bytes())) {
        EXPECT_FALSE(found);
        found = queue;
      }
    }
  }
  return found;
}

TEST_F(HostSteeringTest, PacketsOfTheHostComeOnTheQueueOfTheirPeer) {
  in_namespace([this] {
    Result<TunDevice> tun = open_tun("steer%d", {.vnet_header = false, .queues = workers});
    ASSERT_TRUE(tun) << tun.error().text();
    configure_tun(tun->name, "255.0.0.0", true);
    const auto attached = steering_->attach_host(tun->queues.front().get());
    ASSERT_TRUE(attached) << attached.error().text();
    for (std::uint16_t client = 2; client < 100; ++client) {
      route("10.0.0." + std::to_string(client), client % workers);
    }
    const Result<UdpSocket> socket = open_udp({.address = IpAddress::parse("10.0.0.1")});
    ASSERT_TRUE(socket);
    for (int round = 0; round < 2; ++round) {
      for (std::uint16_t client = 2; client < 100; ++client) {
        const IpAddress target = *IpAddress::parse("10.0.0." + std::to_string(client));
        const SocketAddress to = to_sockaddr({target, static_cast<std::uint16_t>(client + round)});
        ASSERT_EQ(::sendto(socket->fd.get(), "x", 1, 0, to.get(), to.length), 1);
        EXPECT_EQ(queue_with(tun->queues, target), std::size_t{client} % workers);
      }
    }
  });
}

}  // namespace
}  // namespace tw
