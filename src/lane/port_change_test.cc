// A lane that goes over to other sockets.
#include <gtest/gtest.h>

#include "lane/test_machines.h"

namespace tw::lane {
namespace {

using test::ip_packet;
using test::Packets;

class PortChangeTest : public test::TwoMachinesTest {
 protected:
  PortChangeTest() { MemoryPort::join(next_, far_); }
  ~PortChangeTest() override { left_.lane().set_udp_ports({&left_.udp(), nullptr}); }

  std::vector<std::size_t> lengths_at_far() {
    PacketBatch batch{64, 65536};
    far_.poll(batch);
    std::vector<std::size_t> lengths;
    for (const Train& train : batch.trains()) lengths.push_back(train.length);
    return lengths;
  }
  MemoryPort next_, far_;
};

TEST_F(PortChangeTest, WhatIsOnItsWayToTheOldOneArrives) {
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  const auto packet = ip_packet(2, 1, 100, 7);
  right_.from_host(packet);
  right_.context().run_until_idle();
  left_.lane().set_udp_ports({&next_, nullptr}, {&left_.udp(), nullptr});
  settle();
  EXPECT_EQ(left_.to_host(), Packets{packet});
  left_.from_host(ip_packet(1, 2, 100, 7));
  settle();
  EXPECT_EQ(lengths_at_far().size(), 1U);  // but the answer leaves from the new one
  expect_conserved();
}

TEST_F(PortChangeTest, AnOldOneThatIsGivenUpIsNotPolled) {
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  left_.lane().set_udp_ports({&next_, nullptr});
  right_.from_host(ip_packet(2, 1, 100, 7));
  settle();
  EXPECT_TRUE(left_.to_host().empty());
}

TEST_F(PortChangeTest, PeersWithASessionAreTold) {
  EXPECT_EQ(left_.lane().announce(clock_.now()), 0U);  // there is none yet
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  left_.lane().set_udp_ports({&next_, nullptr}, {&left_.udp(), nullptr});
  EXPECT_EQ(left_.lane().announce(clock_.now()), 1U);
  EXPECT_EQ(lengths_at_far(), std::vector<std::size_t>{32});
  clock_.advance(wg::reject_after_time);
  EXPECT_EQ(left_.lane().announce(clock_.now()), 0U);
  EXPECT_TRUE(lengths_at_far().empty());
  expect_conserved();
}

}  // namespace
}  // namespace tw::lane
