#include "lab/probe/tcp_counts.h"

#include <gtest/gtest.h>

namespace tw::lab {
namespace {

TEST(TcpCounts, AreFoundByNameNotByPlace) {
  const auto counts = parse_tcp_counts(
      "Ip: Forwarding OutSegs\nIp: 1 999\n"
      "Tcp: RtoAlgorithm MaxConn InSegs OutSegs RetransSegs InErrs\nTcp: 1 -1 20 1234 56 0\n"
      "Udp: OutSegs RetransSegs\nUdp: 7 8\n");
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->sent, 1234U);
  EXPECT_EQ(counts->retransmitted, 56U);
}

TEST(TcpCounts, MissingCountersAreNotZero) {
  EXPECT_FALSE(parse_tcp_counts(""));
  EXPECT_FALSE(parse_tcp_counts("Tcp: OutSegs RetransSegs\n"));
  EXPECT_FALSE(parse_tcp_counts("Tcp: OutSegs RetransSegs\nTcp: 5\n"));
  EXPECT_FALSE(parse_tcp_counts("Tcp: OutSegs\nTcp: 5\n"));
}

TEST(TcpCounts, WhatCameInBetween) {
  const TcpCounts between = TcpCounts{.sent = 12, .retransmitted = 3}.since({10, 3});
  EXPECT_EQ(between.sent, 2U);
  EXPECT_EQ(between.retransmitted, 0U);
}

}  // namespace
}  // namespace tw::lab
