// The address of ours that a peer speaks to is the one it hears from.
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "lane/test_machines.h"

namespace tw::lane {
namespace {

using test::ip_packet;
using test::only_peer;
using test::Packets;

const LocalAddress first{IpAddress::v4({192, 0, 2, 1}), 3};
const LocalAddress second{IpAddress::v4({192, 0, 2, 2}), 3};

/// A socket that has lost an address: what is to leave from there leaves all the same, and says so.
class LosesAddress final : public Port {
 public:
  explicit LosesAddress(Port& inner) : inner_(inner) {}
  void lose(const LocalAddress& local) { gone_ = local; }
  std::size_t poll(PacketBatch& batch) noexcept override { return inner_.poll(batch); }
  SendResult send(std::span<const Train> trains) noexcept override {
    SendResult result;
    for (Train train : trains) {
      const bool is_gone = train.local.known() && train.local == gone_;
      if (is_gone) {
        train.local = {};
        ++refused_;
        result.source_gone = result.taken;
      }
      if (inner_.send({&train, 1}).taken == 0) {
        result.os_errno = EAGAIN;
        return result;
      }
      ++result.taken;
      if (is_gone) return result;
    }
    return result;
  }
  int wait_fd() const noexcept override { return -1; }
  int refused() const { return refused_; }

 private:
  Port& inner_;
  LocalAddress gone_;
  int refused_ = 0;
};

class PeerSourceTest : public test::TwoMachinesTest {
 protected:
  /// As settle(), with everything that reaches the right coming to `at`.
  void settle_at(const LocalAddress& at) {
    from_.clear();
    for (int turn = 0; turn < 20; ++turn) {
      left_.context().run_until_idle();
      right_.udp().mark_waiting([&](Train& train) { train.local = at; });
      right_.context().run_until_idle();
      left_.udp().mark_waiting([&](Train& train) {
        from_.push_back(train.local);
        train.local = {};
      });
    }
  }
  void exchange(const LocalAddress& at) {
    left_.from_host(ip_packet(1, 2, 10, 0));
    right_.from_host(ip_packet(2, 1, 10, 0));
    settle_at(at);
  }
  std::vector<LocalAddress> from_;  // where what the right has sent came from
};

TEST_F(PeerSourceTest, HandshakeAndPacketsComeFromTheAddressSpokenTo) {
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle_at(second);
  ASSERT_FALSE(from_.empty());  // the response
  right_.from_host(ip_packet(2, 1, 10, 0));
  settle_at(second);
  EXPECT_EQ(from_, std::vector{second});
  EXPECT_EQ(left_.to_host().size(), 1U);
  expect_conserved();
}

TEST_F(PeerSourceTest, TheResponseDoesToo) {
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle_at(second);
  ASSERT_FALSE(from_.empty());
  for (const LocalAddress& local : from_) EXPECT_EQ(local, second);
}

TEST_F(PeerSourceTest, FollowsAPeerThatSpeaksToAnotherAddress) {
  exchange(second);
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle_at(first);
  right_.from_host(ip_packet(2, 1, 10, 0));
  settle_at(first);
  EXPECT_EQ(from_, std::vector{first});
}

TEST_F(PeerSourceTest, AnAddressThatIsGoneCostsNothingAndIsForgottenOnce) {
  exchange(second);
  left_.to_host();
  const std::uint64_t drops_before = right_.counters().to_wire.drops.total();
  LosesAddress socket{right_.udp()};
  right_.lane().set_udp_ports({&socket, nullptr});
  socket.lose(second);
  for (std::size_t i = 0; i < 20; ++i) right_.from_host(ip_packet(2, 1, 10 + 40 * i, 0));
  settle_at(first);
  EXPECT_EQ(left_.to_host().size(), 20U);
  EXPECT_EQ(socket.refused(), 1);
  for (const LocalAddress& local : from_) EXPECT_FALSE(local.known());
  EXPECT_EQ(right_.counters().to_wire.drops.total(), drops_before);
  expect_conserved();
  right_.lane().set_udp_ports({&right_.udp(), nullptr});
}

TEST_F(PeerSourceTest, AConfiguredEndpointStartsAfresh) {
  exchange(second);
  right_.lane().set_endpoint(only_peer, *Endpoint::parse("192.0.2.9:51820"));
  right_.from_host(ip_packet(2, 1, 10, 0));
  settle_at(second);
  ASSERT_EQ(from_.size(), 1U);
  EXPECT_FALSE(from_[0].known());
}

// The way that the address belonged to may be none any more.
TEST_F(PeerSourceTest, AnInitiationThatIsRepeatedChoosesAnew) {
  exchange(second);
  std::vector<LocalAddress> initiations;
  right_.lane().set_endpoint(only_peer, *Endpoint::parse("192.0.2.9:51820"));
  exchange(second);
  for (int i = 0; i < 200; ++i) {  // the left is silent
    right_.from_host(ip_packet(2, 1, 10, 0));
    clock_.advance(1s);
    right_.context().run_until_idle();
    left_.udp().mark_waiting([&](Train& train) {
      if (train.length == wg_initiation_size) initiations.push_back(train.local);
    });
    PacketBatch nobody{256, 65536};
    left_.udp().poll(nobody);
  }
  ASSERT_GE(initiations.size(), 3U);
  EXPECT_EQ(initiations[0], second);
  EXPECT_FALSE(initiations[1].known());
  EXPECT_FALSE(initiations[2].known());
}

}  // namespace
}  // namespace tw::lane
