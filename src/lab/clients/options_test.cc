#include "lab/clients/options.h"

#include <gtest/gtest.h>

namespace tw::lab {
namespace {

ClientsOptions sound() {
  ClientsOptions options;
  options.target = *Endpoint::parse("192.0.2.1:51820");
  options.sink = *Endpoint::parse("10.200.0.1:7000");
  return options;
}

std::string complaint(const ClientsOptions& options) {
  const Result<void> checked = check(options);
  return checked ? "" : checked.error().text();
}

TEST(ClientsOptions, TheDefaultsMakeSense) { EXPECT_EQ(complaint(sound()), ""); }

TEST(ClientsOptions, SizesOnTheWire) {
  ClientsOptions options = sound();
  options.size = 100;
  EXPECT_EQ(options.wire_size(), 112U + 32U);
  options.size = 1420;  // not padded beyond the usual MTU
  EXPECT_EQ(options.wire_size(), 1452U);
  options.size = 1500;
  EXPECT_EQ(options.wire_size(), 1532U);
  options.rate_bps = 8.0 * 1500 * 1000;
  EXPECT_EQ(options.packets_in(2s), 2000U);
}

TEST(ClientsOptions, SocketsAreAtMostThePeers) {
  ClientsOptions options = sound();
  options.peers = 20;
  EXPECT_EQ(options.socket_count(), 20U);
  options.peers = 1000;
  EXPECT_EQ(options.socket_count(), 256U);
  options.sockets = 1;
  EXPECT_EQ(options.socket_count(), 1U);
  options.peers = 0;
  EXPECT_EQ(options.socket_count(), 1U);
}

TEST(ClientsOptions, ATrainMustFitOneMessage) {
  ClientsOptions options = sound();
  options.burst = 45;
  EXPECT_EQ(complaint(options), "");
  options.burst = 46;
  EXPECT_NE(complaint(options), "");
  options.interleave = true;  // then it is no train
  EXPECT_EQ(complaint(options), "");
}

TEST(ClientsOptions, WhatIsSealedAheadMustFitMemoryAndTime) {
  ClientsOptions options = sound();
  options.sealed_ahead = true;
  EXPECT_EQ(complaint(options), "");
  options.rate_bps = 10e9;
  EXPECT_NE(complaint(options).find("--ahead-memory"), std::string::npos);
  options.ahead_bytes = std::uint64_t{100} << 30U;
  EXPECT_EQ(complaint(options), "");
  options.duration = 110s;
  EXPECT_NE(complaint(options).find("110 s"), std::string::npos);
}

TEST(ClientsOptions, RefusesWhatMakesNoSense) {
  ClientsOptions options = sound();
  options.sink.reset();
  EXPECT_NE(complaint(options), "");
  options.handshakes_only = true;  // needs no sink
  EXPECT_EQ(complaint(options), "");
  options.bystander = true;  // but this does
  EXPECT_NE(complaint(options), "");
  options = sound();
  options.peers = 0;
  EXPECT_NE(complaint(options), "");
  options.flood = FloodKind::random_index;
  EXPECT_EQ(complaint(options), "");
  options = sound();
  options.peers = 254;
  options.addresses = *Prefix::parse("10.1.1.0/24");
  EXPECT_NE(complaint(options), "");
  options.peers = 253;
  EXPECT_EQ(complaint(options), "");
}

TEST(ParseRate, TakesDecimalSuffixes) {
  EXPECT_EQ(parse_rate("2500000"), 2.5e6);
  EXPECT_EQ(parse_rate("100k"), 1e5);
  EXPECT_EQ(parse_rate("1.5G"), 1.5e9);
  EXPECT_EQ(parse_rate("0"), 0.0);
  for (const char* wrong : {"", "M", "fast", "-1M", "1MB", "1e30", "nan", "10 M"}) {
    EXPECT_FALSE(parse_rate(wrong)) << wrong;
  }
}

TEST(Resolve, NumericAndNonsense) {
  EXPECT_EQ(resolve("192.0.2.1:51820")->text(), "192.0.2.1:51820");
  EXPECT_EQ(resolve("[2001:db8::1]:1")->text(), "[2001:db8::1]:1");
  EXPECT_FALSE(resolve("192.0.2.1"));
  EXPECT_FALSE(resolve(":51820"));
  EXPECT_FALSE(resolve("192.0.2.1:"));
}

}  // namespace
}  // namespace tw::lab
