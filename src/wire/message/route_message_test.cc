#include "wire/message/route_message.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace tw {
namespace {

/// Asks about the machine that the test runs on: its loopback is all that every machine has.
std::vector<std::uint8_t> ask(const RouteQuestion& question, std::uint32_t sequence) {
  const UniqueFd netlink{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  const RouteRequest request{question, sequence};
  EXPECT_EQ(::send(netlink.get(), request.bytes().data(), request.bytes().size(), 0),
            static_cast<ssize_t>(request.bytes().size()));
  std::vector<std::uint8_t> answer(8192);
  const ssize_t size = ::recv(netlink.get(), answer.data(), answer.size(), MSG_DONTWAIT);
  EXPECT_GT(size, 0);
  answer.resize(static_cast<std::size_t>(std::max<ssize_t>(0, size)));
  return answer;
}

TEST(RouteMessage, TheKernelUnderstandsAndIsUnderstood) {
  for (const char* const address : {"127.0.0.1", "::1"}) {
    const IpAddress loopback = *IpAddress::parse(address);
    const auto message = ask({.target = loopback,
                              .source = loopback,
                              .mark = 7,
                              .udp_source = 51820,
                              .udp_target = 51821},
                             42);
    const auto answer = parse_route_answer(message, 42);
    ASSERT_TRUE(answer && *answer) << address;
    EXPECT_EQ((*answer)->type, RTN_LOCAL);
    EXPECT_EQ((*answer)->device_index, 1U);
    EXPECT_FALSE((*answer)->is_learned);
    EXPECT_FALSE(parse_route_answer(message, 43));  // to another question
  }
}

TEST(RouteMessage, ASourceThatIsNotOursHasNoWay) {
  const auto message =
      ask({.target = *IpAddress::parse("127.0.0.1"), .source = *IpAddress::parse("192.0.2.9")}, 1);
  const auto answer = parse_route_answer(message, 1);
  ASSERT_TRUE(answer);
  ASSERT_FALSE(*answer);
  EXPECT_TRUE(answer->error() == EINVAL || answer->error() == ENETUNREACH) << answer->error();
}

/// An answer as the kernel would make it for a route with this MTU.
std::vector<std::uint8_t> with_mtu(std::uint32_t mtu, std::uint32_t expires) {
  struct Answer {
    nlmsghdr header{};
    rtmsg route{};
    rtattr metrics{.rta_len = RTA_LENGTH(RTA_LENGTH(4)), .rta_type = RTA_METRICS};
    rtattr metric{.rta_len = RTA_LENGTH(4), .rta_type = RTAX_MTU};
    std::uint32_t mtu = 0;
    rtattr cache{.rta_len = RTA_LENGTH(sizeof(rta_cacheinfo)), .rta_type = RTA_CACHEINFO};
    rta_cacheinfo info{};
  } answer;
  answer.header = {.nlmsg_len = sizeof answer,
                   .nlmsg_type = RTM_NEWROUTE,
                   .nlmsg_flags = 0,
                   .nlmsg_seq = 9,
                   .nlmsg_pid = 0};
  answer.mtu = mtu;
  answer.info.rta_expires = static_cast<std::int32_t>(expires);
  std::vector<std::uint8_t> bytes(sizeof answer);
  std::memcpy(bytes.data(), &answer, sizeof answer);
  return bytes;
}

TEST(RouteMessage, TellsAConfiguredMtuFromALearnedOne) {
  const auto configured = parse_route_answer(with_mtu(1300, 0), 9);
  ASSERT_TRUE(configured && *configured);
  EXPECT_EQ((*configured)->mtu, 1300U);
  EXPECT_FALSE((*configured)->is_learned);
  const auto learned = parse_route_answer(with_mtu(1300, 599), 9);
  ASSERT_TRUE(learned && *learned);
  EXPECT_TRUE((*learned)->is_learned);
}

// Whatever is missing at the end: no answer, or one without it, and never a byte beyond.
// The least of all numbers has no negative.
TEST(RouteMessage, WhatIsNoErrnoIsNotTakenForOne) {
  struct Refusal {
    nlmsghdr header{};
    nlmsgerr error{};
  } refusal;
  refusal.header = {.nlmsg_len = sizeof refusal,
                    .nlmsg_type = NLMSG_ERROR,
                    .nlmsg_flags = 0,
                    .nlmsg_seq = 1,
                    .nlmsg_pid = 0};
  for (const auto& [said, meant] : {std::pair{-ENETUNREACH, ENETUNREACH}, std::pair{0, EPROTO},
                                    std::pair{7, EPROTO}, std::pair{INT32_MIN, EPROTO}}) {
    refusal.error.error = said;
    std::vector<std::uint8_t> message(sizeof refusal);
    std::memcpy(message.data(), &refusal, sizeof refusal);
    const auto answer = parse_route_answer(message, 1);
    ASSERT_TRUE(answer && !*answer);
    EXPECT_EQ(answer->error(), meant);
  }
}

TEST(RouteMessage, CutShortItSaysLess) {
  const auto whole = with_mtu(1300, 599);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::vector<std::uint8_t> cut{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)};
    EXPECT_FALSE(parse_route_answer(cut, 9)) << size;  // shorter than it says itself
    if (cut.size() < sizeof(nlmsghdr)) continue;
    const auto length = static_cast<std::uint32_t>(size);
    std::memcpy(cut.data(), &length, sizeof length);
    const auto answer = parse_route_answer(cut, 9);
    ASSERT_TRUE(answer);
    if (*answer) {
      EXPECT_TRUE((*answer)->mtu == 0 || (*answer)->mtu == 1300U);
    } else {
      EXPECT_EQ(answer->error(), EPROTO);
    }
  }
}

}  // namespace
}  // namespace tw
