// Packets for the wire are padded to sixteen bytes (whitepaper, section 5.4.6), within the MTU.
#include "lane/test_machines.h"

namespace tw::lane::test {
namespace {

class PaddingTest : public TwoMachinesTest {
 protected:
  PaddingTest() {
    left_.lane().set_mtu(1420);
    left_.from_host(ip_packet(1, 2, 0, 1));
    settle();
    right_.to_host();
  }
  /// Bytes that a packet of so many takes inside of its datagram.
  std::size_t on_the_wire(std::size_t packet) {
    left_.from_host(ip_packet(1, 2, packet - 20, 0xff));
    left_.context().run_until_idle();
    std::size_t bytes = 0;
    right_.udp().mark_waiting([&](Train& train) { bytes = train.length; });
    settle();
    EXPECT_EQ(right_.to_host(), (Packets{ip_packet(1, 2, packet - 20, 0xff)})) << "cut off again";
    return bytes - wg_data_header_size - wg_tag_size;
  }
};

TEST_F(PaddingTest, IsToSixteenBytes) {
  EXPECT_EQ(on_the_wire(32), 32U);
  EXPECT_EQ(on_the_wire(33), 48U);
  EXPECT_EQ(on_the_wire(47), 48U);
  EXPECT_EQ(on_the_wire(1000), 1008U);
}

TEST_F(PaddingTest, NeverGoesBeyondTheMtu) {
  EXPECT_EQ(on_the_wire(1409), 1420U);
  EXPECT_EQ(on_the_wire(1420), 1420U);
}

}  // namespace
}  // namespace tw::lane::test
