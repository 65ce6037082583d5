#include "machine/port_holder.h"

#include <gtest/gtest.h>

namespace tw {
namespace {

constexpr std::string_view tcp_table =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n"
    "   0: 0100007F:25E6 0200007F:0050 01 00000000:00000000 00:00000000 00000000    33        0 "
    "11\n"
    "   1: 00000000:25E6 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 22 "
    "1 0000000000000000 100 0 0 10 0\n"
    "garbage\n"
    "   2: broken 00000000:0000 0A 0 0 0 7 0 33\n";
constexpr std::string_view udp6_table =
    "  sl  local_address                         remote_address                        st\n"
    "  9: 00000000000000000000000000000000:CA6C 00000000000000000000000000000000:0000 07 "
    "00000000:00000000 00:00000000 00000000     5        0 44 2 0000000000000000 0\n";

TEST(PortHolder, IsTheListenerAndNotAConnection) {
  const auto holder = find_port(tcp_table, Transport::tcp, 0x25e6);
  ASSERT_TRUE(holder);
  EXPECT_EQ(holder->uid, 1000U);
  EXPECT_EQ(holder->inode, 22U);
  EXPECT_FALSE(find_port(tcp_table, Transport::tcp, 80));
}

TEST(PortHolder, OfUdpIsAnySocket) {
  const auto holder = find_port(udp6_table, Transport::udp, 0xca6c);
  ASSERT_TRUE(holder);
  EXPECT_EQ(holder->uid, 5U);
  EXPECT_EQ(holder->inode, 44U);
}

TEST(PortHolder, IsNamedAsFarAsItIsKnown) {
  EXPECT_EQ((PortHolder{.uid = 33, .inode = 1, .pid = 812, .program = "nginx"}.text()),
            "nginx (pid 812, uid 33)");
  EXPECT_EQ((PortHolder{.uid = 33, .inode = 1, .pid = 0, .program = {}}.text()),
            "a program of user 33");
}

}  // namespace
}  // namespace tw
