// Compares the compiler's rules with those of nft(8): both are given the same text, and the
// kernel's listing must not differ.
#include "machine/nft/compile.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "machine/nft/socket.h"
#include "machine/test_network.h"

namespace tw::nft {
namespace {

using node::testing::ScratchNamespace;

// Returns what nft says, on both of its outputs.
std::string nft(std::vector<std::string> arguments) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe[1], STDOUT_FILENO);
    ::dup2(pipe[1], STDERR_FILENO);
    arguments.insert(arguments.begin(), "nft");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execvp("nft", argv.data());
    ::_exit(127);
  }
  ::close(pipe[1]);
  std::string output;
  std::array<char, 4096> buffer;
  for (ssize_t size = 1; size > 0;) {
    size = ::read(pipe[0], buffer.data(), buffer.size());
    if (size > 0) output.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::close(pipe[0]);
  ::waitpid(child, nullptr, 0);
  return output;
}

std::string commit(std::string_view text) {
  auto batch = compile(text);
  if (!batch) return batch.error().text();
  auto socket = Socket::open();
  if (!socket) return socket.error().text();
  auto done = socket->commit(std::move(*batch), "test");
  return done ? "" : done.error().text();
}

constexpr std::string_view every_form = R"(add table inet t
flush table inet t
table inet t {
  counter one { }
  set wide { type ipv4_addr; flags interval; }
  map owner { type ipv6_addr : mark; flags interval; }
  set flows { type ipv4_addr; size 128; flags dynamic; }
  set flows6 { type ipv6_addr; size 128; flags dynamic; }
  chain base {
    type filter hook prerouting priority mangle; policy accept;
    iif lo return
    iifname "eth0" oifname != "eth1" accept
    iifname { "eth0", "eth1" } return
    meta l4proto tcp meta mark set 0x54570003 tproxy to :9701 accept
    meta mark 0x54570003 socket transparent 1 socket wildcard 0 accept
    socket mark 0x54580003 accept
    meta mark & 0x00100000 == 0x00100000 return
    meta mark set meta mark | 0x00100000
    meta mark set meta mark & 0xffefffff
    fib daddr type { local, broadcast, multicast } return
    fib saddr type != local drop
    ct direction reply return
    ct status confirmed return
    ct state established,related accept
    ct state != { established, related } jump other
    udp dport 443 ct state new goto other
    ip saddr @wide counter name one drop
    ip daddr != @wide accept
  }
  chain other {
    ip saddr 10.0.0.0/8 ip daddr { 192.0.2.0/24, 198.51.100.1 } accept
    ip saddr { 10.0.0.1-10.0.0.9, 10.0.0.10, 10.0.0.200/31 } accept
    ip6 saddr fd00::/8 tcp dport { 80, 443-500 } accept
    ip6 daddr { fd00::1, fd00::2 } meta l4proto { icmp, ipv6-icmp } accept
    ip saddr 10.0.0.1 tcp dport 80-90 tcp sport 1 accept
    meta l4proto { tcp, udp } th dport { 53, 80-90 } accept
    tcp flags & (syn | ack) == syn drop
    meta nfproto ipv6 udp sport 53 accept
    add @flows { ip saddr ct count over 20 } drop
    ip saddr @wide add @flows { ip saddr & 255.255.0.0 ct count over 20 } drop
    add @flows6 { ip6 saddr & ffff:ffff:ffff:ffff:: ct count over 20 } counter name one drop
    return
  }
  chain in {
    type filter hook input priority -13; policy accept;
    ip daddr 10.0.0.1 icmp type echo-request accept
    ip6 daddr fd00::1 icmpv6 type echo-request accept
    counter name one reject with icmpx admin-prohibited
    reject with icmpx port-unreachable
    meta l4proto tcp meta mark 7 reject with tcp reset
    ct mark set meta mark
    meta mark set ct mark
  }
  chain nat {
    type nat hook postrouting priority srcnat; policy accept;
    oif != 1 ip saddr 10.0.0.0/8 masquerade
    iifname "eth0" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
  }
}
flush set inet t wide
add element inet t wide { 10.0.0.0/8, 192.0.2.1, 192.0.2.7-192.0.2.9, 255.255.255.255 }
add element inet t owner { fd00::/64 : 1, fd00:0:0:1::/64 : 2, fd01::1 : 3 }
)";

TEST(NftCompile, TheKernelListsWhatNftWouldHaveMade) {
  std::string theirs;
  {
    const ScratchNamespace scratch;
    if (!scratch.entered()) GTEST_SKIP() << "needs root, for a network namespace";
    const std::string path = ::testing::TempDir() + "thalweg_every_form.nft";
    std::ofstream{path} << every_form;
    ASSERT_EQ(nft({"-f", path}), "");
    theirs = nft({"list", "ruleset"});
  }
  const ScratchNamespace scratch;
  ASSERT_EQ(commit(every_form), "");
  EXPECT_EQ(nft({"list", "ruleset"}), theirs);
  ASSERT_EQ(commit(every_form), "") << "again, over what is there";
  EXPECT_EQ(nft({"list", "ruleset"}), theirs);
}

TEST(NftCompile, AllOrNothing) {
  const ScratchNamespace scratch;
  if (!scratch.entered()) GTEST_SKIP() << "needs root, for a network namespace";
  const std::string said = commit("add table inet t\nadd chain inet t c\nadd rule inet t d drop\n");
  EXPECT_NE(said.find("add rule inet t d drop"), std::string::npos) << said;
  EXPECT_EQ(nft({"list", "ruleset"}), "");
}

TEST(NftCompile, TryingChangesNothing) {
  const ScratchNamespace scratch;
  if (!scratch.entered()) GTEST_SKIP() << "needs root, for a network namespace";
  auto socket = Socket::open();
  ASSERT_TRUE(socket);
  EXPECT_TRUE(socket->try_out(*compile("add table inet t\n"), "test"));
  EXPECT_FALSE(socket->try_out(*compile("delete table inet t\n"), "test"));
  EXPECT_EQ(nft({"list", "ruleset"}), "");
}

TEST(NftCompile, ManyElementsGoInOneTransaction) {
  const ScratchNamespace scratch;
  if (!scratch.entered()) GTEST_SKIP() << "needs root, for a network namespace";
  std::string text =
      "add table inet t\ntable inet t {\n  set s { type ipv6_addr; flags interval; }\n}\n"
      "flush set inet t s\nadd element inet t s { ";
  for (int i = 0; i < 10000; ++i) {
    std::array<char, 64> element{};
    std::snprintf(element.data(), element.size(), "fd00:%x::/64, ", i);
    text += element.data();
  }
  text += "}\n";
  for (int round = 0; round < 3; ++round) ASSERT_EQ(commit(text), "");
  const std::string listed = nft({"list", "set", "inet", "t", "s"});
  EXPECT_NE(listed.find("fd00:270f::/64"), std::string::npos);
}

TEST(NftCompile, CountersAreReadAndChangesHeard) {
  const ScratchNamespace scratch;
  if (!scratch.entered()) GTEST_SKIP() << "needs root, for a network namespace";
  auto socket = Socket::open();
  auto watch = Socket::open();
  ASSERT_TRUE(socket && watch && watch->listen());
  ASSERT_TRUE(socket->commit(*compile("add table inet t\ntable inet t {\n  counter a { }\n"
                                      "  counter b { }\n}\nadd table inet u\n"
                                      "table inet u {\n  counter c { }\n}\n"),
                             "test"));
  auto counters = socket->counters("t");
  ASSERT_TRUE(counters);
  ASSERT_EQ(counters->size(), 2U);
  EXPECT_EQ(counters->front().packets, 0U);
  EXPECT_FALSE(watch->changed_by_others("t", socket->port())) << "it was us";
  ASSERT_EQ(commit("delete table inet u\n"), "");
  EXPECT_FALSE(watch->changed_by_others("t", socket->port())) << "another table";
  EXPECT_TRUE(*socket->has_table("t"));
  ASSERT_EQ(nft({"flush", "ruleset"}), "");
  EXPECT_TRUE(watch->changed_by_others("t", socket->port()));
  EXPECT_FALSE(*socket->has_table("t"));
}

TEST(NftCompile, WhatItDoesNotKnowItRefuses) {
  for (const char* text :
       {"add rule inet t c frobnicate", "add rule inet t c ip saddr fd00::1 drop",
        "add rule inet t c tcp dport 70000 drop", "add rule inet t c tcp dport { 80 drop",
        "add chain inet t c { type filter hook sideways priority 0; }", "remove table inet t",
        "table inet t {\n  chain c {\n    iifname \"0123456789abcdef\" drop\n  }\n}\n"}) {
    const auto batch = compile(text);
    ASSERT_FALSE(batch) << text;
    EXPECT_EQ(batch.error().kind, Error::Kind::config);
  }
}

}  // namespace
}  // namespace tw::nft
