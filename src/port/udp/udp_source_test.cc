// Tests the address of ours that a datagram came to, and that it leaves from.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "port/udp/sockets.h"
#include "port/udp/udp_port.h"

namespace tw {
namespace {

constexpr std::uint32_t any_ifindex = 1;

struct Open {
  UdpPort port;
  std::uint16_t number;
  Endpoint at(const char* address) const { return {*IpAddress::parse(address), number}; }
};
Open open_wildcard(Family family, UdpPort::SendMessages send = &::sendmmsg) {
  auto opened = open_udp({.family = family, .buffer_bytes = 1 << 20});
  EXPECT_TRUE(opened);
  return {UdpPort{std::move(opened->fd), send}, opened->port};
}

LocalAddress local(const char* address) { return {*IpAddress::parse(address), any_ifindex}; }

/// `segments` of 100 bytes each.
struct Datagrams {
  Datagrams(std::size_t segments, const Endpoint& to, const LocalAddress& from)
      : bytes(segments * 100, 0x5a) {
    train.bytes = bytes.data();
    train.length = static_cast<std::uint32_t>(bytes.size());
    train.segment_size = 100;
    train.destination = to;
    train.local = from;
  }
  std::vector<std::uint8_t> bytes;
  Train train;
};

/// Everything that waits, by sender.
struct Arrivals {
  explicit Arrivals(UdpPort& port) {
    PacketBatch batch{64, 65'535};
    port.poll(batch);
    for (const Train& train : batch.trains()) {
      bytes += train.length;
      sources.push_back(train.source.address);
      locals.push_back(train.local);
    }
  }
  std::size_t bytes = 0;
  std::vector<IpAddress> sources;
  std::vector<LocalAddress> locals;
};

TEST(UdpSource, AnAnswerComesFromWhereTheQuestionWent) {
  Open left = open_wildcard(Family::v4), right = open_wildcard(Family::v4);
  Datagrams question{1, right.at("127.0.0.2"), {}};
  ASSERT_EQ(left.port.send({&question.train, 1}).taken, 1U);
  const Arrivals asked{right.port};
  ASSERT_EQ(asked.locals.size(), 1U);
  EXPECT_EQ(asked.locals[0].address, *IpAddress::parse("127.0.0.2"));
  EXPECT_TRUE(asked.locals[0].known());

  Datagrams answer{1, left.at("127.0.0.1"), asked.locals[0]};
  ASSERT_EQ(right.port.send({&answer.train, 1}).taken, 1U);
  const Arrivals answered{left.port};
  ASSERT_EQ(answered.sources.size(), 1U);
  EXPECT_EQ(answered.sources[0], *IpAddress::parse("127.0.0.2"));
}

TEST(UdpSource, ATrainAndItsEcnComeFromThereToo) {
  Open left = open_wildcard(Family::v4), right = open_wildcard(Family::v4);
  Datagrams sent{30, right.at("127.0.0.1"), local("127.0.0.3")};
  sent.train.traffic_class = 2;
  ASSERT_EQ(left.port.send({&sent.train, 1}).taken, 1U);
  const Arrivals came{right.port};
  EXPECT_EQ(came.bytes, sent.bytes.size());
  for (const IpAddress& source : came.sources) EXPECT_EQ(source, *IpAddress::parse("127.0.0.3"));
}

TEST(UdpSource, IsTheSameOverIpv6) {
  Open left = open_wildcard(Family::v6), right = open_wildcard(Family::v6);
  Datagrams sent{3, right.at("::1"), local("::1")};
  ASSERT_EQ(left.port.send({&sent.train, 1}).taken, 1U);
  const Arrivals came{right.port};
  ASSERT_FALSE(came.locals.empty());
  EXPECT_EQ(came.bytes, sent.bytes.size());
  EXPECT_EQ(came.locals[0].address, *IpAddress::parse("::1"));
}

TEST(UdpSource, ASocketBoundToAnAddressNeedsNotAsk) {
  auto opened = open_udp({.address = IpAddress::v4({127, 0, 0, 1})});
  ASSERT_TRUE(opened);
  const Endpoint to{IpAddress::v4({127, 0, 0, 1}), opened->port};
  UdpPort right{std::move(opened->fd)};
  Open left = open_wildcard(Family::v4);
  Datagrams sent{1, to, {}};
  ASSERT_EQ(left.port.send({&sent.train, 1}).taken, 1U);
  const Arrivals came{right};
  ASSERT_EQ(came.locals.size(), 1U);
  EXPECT_FALSE(came.locals[0].known());
}

class VanishedSource : public ::testing::TestWithParam<std::size_t> {
 protected:
  /// Three trains, the second from an address that is not ours.
  void check(Family family, const char* ours, const char* gone) {
    Open left = open_wildcard(family), right = open_wildcard(family);
    const std::size_t segments = GetParam();
    Datagrams first{segments, right.at(ours), local(ours)};
    Datagrams second{segments, right.at(ours), local(gone)};
    Datagrams third{segments, right.at(ours), local(ours)};
    const std::array trains{first.train, second.train, third.train};
    const SendResult result = left.port.send(trains);
    EXPECT_EQ(result.source_gone, 1U);
    EXPECT_GE(result.taken, 2U);  // the end of a train that is cut may take the next one along
    EXPECT_EQ(result.partial, 0U);
    EXPECT_EQ(result.os_errno, 0);
    EXPECT_TRUE(left.port.capabilities().sends_trains);
    const Arrivals came{right.port};
    EXPECT_EQ(came.bytes, result.taken * first.bytes.size());
    for (const IpAddress& source : came.sources) EXPECT_EQ(source, *IpAddress::parse(ours));
    const SendResult rest = left.port.send(std::span{trains}.subspan(result.taken));
    EXPECT_EQ(result.taken + rest.taken, 3U);
    EXPECT_FALSE(rest.source_gone);
  }
};

// One datagram, a train, and a train that has to be cut.
INSTANTIATE_TEST_SUITE_P(Segments, VanishedSource, ::testing::Values(1, 20, 300));

TEST_P(VanishedSource, LosesNothingOverIpv4) { check(Family::v4, "127.0.0.1", "192.0.2.55"); }
TEST_P(VanishedSource, LosesNothingOverIpv6) { check(Family::v6, "::1", "2001:db8::55"); }

// A train refused for itself is no reason to forget the address.
TEST(UdpSource, OtherTroubleIsNotBlamedOnIt) {
  Open left = open_wildcard(Family::v4, [](int fd, mmsghdr* messages, unsigned count, int flags) {
    for (unsigned i = 0; i < count; ++i) {
      if (messages[i].msg_hdr.msg_iov->iov_len <= 100) continue;
      if (i > 0) return ::sendmmsg(fd, messages, i, flags);
      errno = EINVAL;
      return -1;
    }
    return ::sendmmsg(fd, messages, count, flags);
  });
  Open right = open_wildcard(Family::v4);
  Datagrams sent{20, right.at("127.0.0.1"), local("127.0.0.2")};
  const SendResult result = left.port.send({&sent.train, 1});
  EXPECT_EQ(result.taken, 1U);
  EXPECT_FALSE(result.source_gone);
  const Arrivals came{right.port};
  EXPECT_EQ(came.bytes, sent.bytes.size());
  for (const IpAddress& source : came.sources) EXPECT_EQ(source, *IpAddress::parse("127.0.0.2"));
}

// The address is gone, and the train is refused besides.
TEST(UdpSource, BothTroublesAtOnce) {
  Open left = open_wildcard(Family::v4, [](int fd, mmsghdr* messages, unsigned count, int flags) {
    if (messages[0].msg_hdr.msg_iov->iov_len <= 100) {
      return ::sendmmsg(fd, messages, count, flags);
    }
    errno = EINVAL;
    return -1;
  });
  Open right = open_wildcard(Family::v4);
  Datagrams sent{20, right.at("127.0.0.1"), local("192.0.2.55")};
  const SendResult result = left.port.send({&sent.train, 1});
  EXPECT_EQ(result.taken, 1U);
  EXPECT_EQ(result.source_gone, 0U);
  EXPECT_EQ(Arrivals{right.port}.bytes, sent.bytes.size());
}

}  // namespace
}  // namespace tw
