#include "port/udp/udp_port.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <numeric>
#include <utility>
#include <vector>

#include "port/udp/sockets.h"

namespace tw {
namespace {

Endpoint loopback(Family family, std::uint16_t port) {
  const char* const text = family == Family::v4 ? "127.0.0.1" : "::1";
  return {*IpAddress::parse(text), port};
}

struct Bound {
  UdpPort port;
  Endpoint endpoint;
};
Bound open_port(Family family, UdpPort::SendMessages send = &::sendmmsg,
                std::size_t buffer = 1 << 22) {
  auto opened =
      open_udp({.family = family, .address = loopback(family, 0).address, .buffer_bytes = buffer});
  EXPECT_TRUE(opened.has_value());
  return {UdpPort{std::move(opened->fd), send}, loopback(family, opened->port)};
}

// `count` segments of `segment` bytes (the last one `last`) that all differ.
struct TrainBytes {
  TrainBytes(std::size_t count, std::size_t segment, std::size_t last, const Endpoint& to)
      : bytes(segment * (count - 1) + last) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::uint8_t>(i / segment * 31 + i % segment * 7);
    }
    train.bytes = bytes.data();
    train.length = static_cast<std::uint32_t>(bytes.size());
    train.segment_size = static_cast<std::uint32_t>(segment);
    train.destination = to;
  }
  std::vector<std::uint8_t> bytes;
  Train train;
};

// Polls until `bytes` bytes have come; what waits on loopback is there when send() returns.
std::vector<std::vector<std::uint8_t>> receive(UdpPort& port, std::size_t bytes,
                                               PacketBatch& batch) {
  std::vector<std::vector<std::uint8_t>> segments;
  std::size_t came = 0;
  while (came < bytes) {
    batch.clear();
    if (port.poll(batch) == 0) break;
    for (const Train& train : batch.trains()) {
      for (std::size_t i = 0; i < train.segments(); ++i) {
        const ByteSpan segment = train.segment(i);
        segments.emplace_back(segment.begin(), segment.end());
      }
      came += train.length;
    }
  }
  return segments;
}

std::vector<std::uint8_t> joined(const std::vector<std::vector<std::uint8_t>>& segments) {
  std::vector<std::uint8_t> all;
  for (const auto& segment : segments) all.insert(all.end(), segment.begin(), segment.end());
  return all;
}

TEST(UdpPortAgeTest, ATrainKnowsHowLongItHasWaited) {
  const Endpoint any = loopback(Family::v4, 0);
  auto opened = open_udp({.address = any.address, .receive_age = true});
  ASSERT_TRUE(opened);
  const Endpoint target = loopback(Family::v4, opened->port);
  UdpPort right{std::move(opened->fd)};
  Bound left = open_port(Family::v4);
  TrainBytes sent{1, 100, 100, target};
  PacketBatch batch{8, 65535};
  // An age beyond nothing at all: the clock is read after the packet has been stamped. The kernel
  // begins to stamp some time after the first socket has asked for it (a work item turns it on).
  Duration age{};
  for (int attempt = 0; attempt < 5000 && age == Duration::zero(); ++attempt) {
    if (attempt > 0) ::poll(nullptr, 0, 1);
    ASSERT_EQ(left.port.send({&sent.train, 1}).taken, 1U);
    batch.clear();
    ASSERT_EQ(right.poll(batch), 1U);
    age = batch[0].age;
  }
  EXPECT_GT(age, Duration::zero());
  EXPECT_LT(age, 1s);
}

TEST(UdpPortAgeTest, ATrainOfASocketThatDoesNotAskHasNone) {
  Bound left = open_port(Family::v4), right = open_port(Family::v4);
  TrainBytes sent{1, 100, 100, right.endpoint};
  ASSERT_EQ(left.port.send({&sent.train, 1}).taken, 1U);
  PacketBatch batch{8, 65535};
  ASSERT_EQ(right.port.poll(batch), 1U);
  EXPECT_EQ(batch[0].age, Duration::zero());
}

class UdpPortTest : public ::testing::TestWithParam<Family> {};

TEST_P(UdpPortTest, ATrainArrivesWholeWithItsSenderAndClass) {
  Bound left = open_port(GetParam()), right = open_port(GetParam());
  TrainBytes sent{40, 1452, 700, right.endpoint};
  sent.train.traffic_class = 0xb9;  // EF, ECT(1)
  const SendResult result = left.port.send({&sent.train, 1});
  EXPECT_EQ(result.taken, 1U);
  EXPECT_EQ(result.os_errno, 0);

  PacketBatch batch{8, 65'535};
  ASSERT_EQ(right.port.poll(batch), 1U);
  EXPECT_EQ(batch[0].segments(), 40U);
  EXPECT_EQ(batch[0].segment_size, 1452U);
  EXPECT_EQ(batch[0].source, left.endpoint);
  EXPECT_EQ(batch[0].traffic_class, 0xb9);
  EXPECT_TRUE(std::ranges::equal(batch[0].all(), sent.bytes));
  batch.clear();
  EXPECT_EQ(right.port.poll(batch), 0U);
}

// Longer than a message may be in segments or in bytes: cut, in order, and every segment arrives.
TEST_P(UdpPortTest, LongTrainsAreCut) {
  Bound left = open_port(GetParam()), right = open_port(GetParam());
  PacketBatch batch{64, 65'535};
  for (const auto& [count, size] : {std::pair{300U, 100U}, {47U, 1452U}, {129U, 60U}}) {
    TrainBytes sent{count, size, size / 2, right.endpoint};
    EXPECT_EQ(left.port.send({&sent.train, 1}).taken, 1U);
    const auto segments = receive(right.port, sent.bytes.size(), batch);
    EXPECT_EQ(segments.size(), count);
    EXPECT_EQ(joined(segments), sent.bytes);
  }
  EXPECT_GT(left.port.counters().extra_messages.value(), 0U);
  EXPECT_TRUE(left.port.capabilities().sends_trains);
}

TEST_P(UdpPortTest, ManyTrainsInOneCallKeepTheirOrder) {
  Bound left = open_port(GetParam()), right = open_port(GetParam());
  std::vector<TrainBytes> sent;
  std::vector<Train> trains;
  for (std::size_t i = 0; i < 150; ++i) {
    sent.emplace_back(1 + i % 3, 100, 1 + i % 100, right.endpoint);
  }
  std::size_t bytes = 0;
  for (const TrainBytes& each : sent) {
    trains.push_back(each.train);
    bytes += each.bytes.size();
  }
  EXPECT_EQ(left.port.send(trains).taken, trains.size());
  PacketBatch batch{16, 65'535};
  const auto segments = receive(right.port, bytes, batch);
  std::vector<std::uint8_t> expected;
  for (const TrainBytes& each : sent)
    expected.insert(expected.end(), each.bytes.begin(), each.bytes.end());
  EXPECT_EQ(joined(segments), expected);
}

INSTANTIATE_TEST_SUITE_P(Families, UdpPortTest, ::testing::Values(Family::v4, Family::v6));

bool is_train(const mmsghdr& message) {
  const auto* const header = CMSG_FIRSTHDR(&message.msg_hdr);
  return header != nullptr && header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_SEGMENT;
}
int refuse_trains(int fd, mmsghdr* messages, unsigned count, int flags, int os_errno,
                  std::size_t from_bytes) {
  for (unsigned i = 0; i < count; ++i) {
    if (!is_train(messages[i]) || messages[i].msg_hdr.msg_iov->iov_len < from_bytes) continue;
    if (i > 0) return ::sendmmsg(fd, messages, i, flags);
    errno = os_errno;
    return -1;
  }
  return ::sendmmsg(fd, messages, count, flags);
}

// A device without checksum offload, or a path that takes no such segments: singles, nothing lost
// or doubled, and none of anybody else's business.
class RefusedTrains : public ::testing::TestWithParam<int> {
 protected:
  /// Trains to this port are refused; whatever else is sent is not.
  static std::uint16_t refusing;
  static int send(int fd, mmsghdr* messages, unsigned count, int flags) {
    for (unsigned i = 0; i < count; ++i) {
      const auto* const to = static_cast<const sockaddr_in*>(messages[i].msg_hdr.msg_name);
      if (!is_train(messages[i]) || ntohs(to->sin_port) != refusing) continue;
      if (i > 0) return ::sendmmsg(fd, messages, i, flags);
      errno = GetParam();
      return -1;
    }
    return ::sendmmsg(fd, messages, count, flags);
  }
};
std::uint16_t RefusedTrains::refusing = 0;
INSTANTIATE_TEST_SUITE_P(Errors, RefusedTrains, ::testing::Values(EIO, EINVAL, EMSGSIZE));

TEST_P(RefusedTrains, ArriveAsSinglesInOrder) {
  Bound left = open_port(Family::v4, &send), right = open_port(Family::v4);
  refusing = right.endpoint.port;
  TrainBytes first{1, 80, 80, right.endpoint}, second{90, 500, 3, right.endpoint};
  const std::array trains{first.train, second.train, first.train};
  EXPECT_EQ(left.port.send(trains).taken, 3U);
  PacketBatch batch{64, 65'535};
  const auto segments = receive(right.port, 80 + second.bytes.size() + 80, batch);
  EXPECT_EQ(segments.size(), 92U);
  std::vector<std::uint8_t> expected = first.bytes;
  expected.insert(expected.end(), second.bytes.begin(), second.bytes.end());
  expected.insert(expected.end(), first.bytes.begin(), first.bytes.end());
  EXPECT_EQ(joined(segments), expected);
}

TEST_P(RefusedTrains, AreThatDestinationsBusinessAndTriedAgain) {
  Bound left = open_port(Family::v4, &send), bad = open_port(Family::v4);
  Bound good = open_port(Family::v4);
  refusing = bad.endpoint.port;
  TrainBytes to_bad{4, 500, 9, bad.endpoint}, to_good{4, 500, 500, good.endpoint};
  PacketBatch batch{64, 65'535};
  const auto send_all = [&](unsigned times) {
    for (unsigned i = 0; i < times; ++i) {
      const std::array trains{to_bad.train, to_good.train};
      ASSERT_EQ(left.port.send(trains).taken, 2U);
      ASSERT_EQ(receive(bad.port, to_bad.bytes.size(), batch).size(), 4U);
      batch.clear();
      ASSERT_EQ(good.port.poll(batch), 1U);
      ASSERT_EQ(batch[0].segments(),
                4U);  // whole: nobody's fault has been learned as the machine's
    }
  };
  send_all(PathTable::singles_before_retry);
  EXPECT_EQ(left.port.counters().trains_refused.value(), 1U);
  send_all(2);
  EXPECT_EQ(left.port.counters().trains_refused.value(), 2U);
  EXPECT_TRUE(left.port.capabilities().sends_trains);
  refusing = 0;  // the path is mended
  send_all(PathTable::singles_before_retry);
  ASSERT_EQ(left.port.send({&to_bad.train, 1}).taken, 1U);
  batch.clear();
  ASSERT_EQ(bad.port.poll(batch), 1U);
  EXPECT_EQ(batch[0].segments(), 4U);
  EXPECT_EQ(left.port.counters().trains_refused.value(), 2U);
}

// A way that the kernel has told of, for all destinations.
class OneWay final : public PathLookup {
 public:
  explicit OneWay(const Path& path) : path_(path) {}
  std::optional<Path> ask(const PathQuestion&) noexcept override { return path_; }

 private:
  Path path_;
};
UdpPort port_with(const Path& path, const PathChanges& changes) {
  auto opened = open_udp({.family = Family::v4});
  EXPECT_TRUE(opened);
  return UdpPort{std::move(opened->fd), &::sendmmsg,
                 std::make_unique<PathTable>(std::make_unique<OneWay>(path), &changes)};
}

TEST(UdpPort, NothingLeavesByTheTunnelItself) {
  PathChanges changes;
  changes.tunnel_device = 7;
  UdpPort left = port_with({.device = 7, .route_mtu = 0}, changes);
  Bound right = open_port(Family::v4);
  TrainBytes sent{4, 100, 100, right.endpoint};
  const SendResult result = left.send({&sent.train, 1});
  EXPECT_EQ(result.taken, 0U);
  EXPECT_EQ(result.os_errno, ELOOP);
  PacketBatch batch{8, 65'535};
  EXPECT_EQ(right.port.poll(batch), 0U);
}

// Datagrams that a route's MTU cuts go with the socket set for it, and those that follow without.
TEST(UdpPort, ObeysTheMtuOfARouteOnlyWhereItCuts) {
  static std::vector<std::pair<std::size_t, int>> modes;
  modes.clear();
  PathChanges changes;
  auto opened = open_udp({.family = Family::v4});
  ASSERT_TRUE(opened);
  const auto note = [](int fd, mmsghdr* messages, unsigned count, int flags) {
    int mode = 0;
    socklen_t length = sizeof mode;
    ::getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &mode, &length);
    for (unsigned i = 0; i < count; ++i) {
      modes.emplace_back(messages[i].msg_hdr.msg_iov->iov_len, mode);
    }
    return ::sendmmsg(fd, messages, count, flags);
  };
  UdpPort left{std::move(opened->fd), note,
               std::make_unique<PathTable>(std::make_unique<OneWay>(Path{1, 600}), &changes)};
  Bound right = open_port(Family::v4);
  TrainBytes small{2, 500, 500, right.endpoint}, large{2, 1000, 1000, right.endpoint};
  const std::array trains{small.train, large.train, small.train};
  EXPECT_EQ(left.send(trains).taken, 3U);
  EXPECT_EQ(modes, (std::vector<std::pair<std::size_t, int>>{{1000, IP_PMTUDISC_OMIT},
                                                             {1000, IP_PMTUDISC_DONT},
                                                             {1000, IP_PMTUDISC_DONT},
                                                             {1000, IP_PMTUDISC_OMIT}}));
  PacketBatch batch{8, 65'535};
  EXPECT_EQ(receive(right.port, 4000, batch).size(), 6U);
}

// Before Linux 6.9 a message could carry 64 segments.
TEST(UdpPort, LearnsTheShorterLimitOfAnOlderKernel) {
  Bound left = open_port(Family::v4, [](int fd, mmsghdr* messages, unsigned count, int flags) {
    return refuse_trains(fd, messages, count, flags, EINVAL, 64 * 100 + 1);
  });
  Bound right = open_port(Family::v4);
  TrainBytes sent{200, 100, 7, right.endpoint};
  PacketBatch batch{64, 65'535};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(left.port.send({&sent.train, 1}).taken, 1U);
    EXPECT_EQ(joined(receive(right.port, sent.bytes.size(), batch)), sent.bytes);
  }
  EXPECT_TRUE(left.port.capabilities().sends_trains);
  EXPECT_EQ(left.port.counters().trains_refused.value(), 0U);
}

// Full in the middle of a train: what went out is told, so that nobody sends or counts it twice.
TEST(UdpPort, PartialTrainIsTold) {
  static unsigned allowed;
  allowed = 3;
  Bound left = open_port(Family::v4, [](int fd, mmsghdr* messages, unsigned count, int flags) {
    const unsigned now = std::min(count, allowed);
    allowed -= now;
    if (now > 0) return ::sendmmsg(fd, messages, now, flags);
    errno = EAGAIN;
    return -1;
  });
  Bound right = open_port(Family::v4);
  TrainBytes single{1, 80, 80, right.endpoint}, sent{300, 100, 100, right.endpoint};
  const std::array trains{single.train, sent.train};
  const SendResult result = left.port.send(trains);
  EXPECT_EQ(result.taken, 1U);
  EXPECT_EQ(result.os_errno, EAGAIN);
  EXPECT_EQ(result.partial, 256U);
  PacketBatch batch{64, 65'535};
  EXPECT_EQ(receive(right.port, 80 + 256 * 100, batch).size(), 257U);
}

TEST(UdpPort, RefusedTrainStopsTheCallAndSaysWhy) {
  Bound left = open_port(Family::v4), right = open_port(Family::v4);
  TrainBytes good{2, 80, 80, right.endpoint};
  TrainBytes wrong_family{2, 80, 80, loopback(Family::v6, 9)};
  TrainBytes oversized{1, 65'530, 65'530, right.endpoint};
  const std::array first{good.train, wrong_family.train, good.train};
  SendResult result = left.port.send(first);
  EXPECT_EQ(result.taken, 1U);
  EXPECT_NE(result.os_errno, 0);
  EXPECT_NE(result.os_errno, EAGAIN);
  result = left.port.send({&oversized.train, 1});
  EXPECT_EQ(result.taken, 0U);
  EXPECT_EQ(result.os_errno, EMSGSIZE);
  EXPECT_TRUE(left.port.capabilities().sends_trains);
}

// More control messages than a port has room for: the length of a train's segments may be among
// those that are missing, so that the train is dropped, and the next one is read as ever.
TEST_P(UdpPortTest, ATrainWithoutAllOfItsControlMessagesIsDropped) {
  Bound left = open_port(GetParam()), right = open_port(GetParam());
  const bool v4 = GetParam() == Family::v4;
  const int socket = right.port.wait_fd();
  const auto ask_for_more = [socket, v4](int on) {
    using Option = std::pair<int, int>;
    const std::array<Option, 4> wanted{
        Option{SOL_SOCKET, SO_TIMESTAMPNS}, Option{SOL_SOCKET, SO_RCVMARK},
        v4 ? Option{IPPROTO_IP, IP_RECVTTL} : Option{IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
        v4 ? Option{IPPROTO_IP, IP_RECVORIGDSTADDR} : Option{IPPROTO_IPV6, IPV6_RECVORIGDSTADDR}};
    for (const auto& [level, name] : wanted) {
      ASSERT_EQ(::setsockopt(socket, level, name, &on, sizeof on), 0);
    }
  };
  ask_for_more(1);
  TrainBytes cut{5, 1000, 700, right.endpoint}, whole{5, 900, 600, right.endpoint};
  ASSERT_EQ(left.port.send({&cut.train, 1}).taken, 1U);
  PacketBatch batch{8, 65'535};
  EXPECT_EQ(right.port.poll(batch), 0U);
  EXPECT_EQ(batch.size(), 0U);
  EXPECT_EQ(right.port.counters().truncated.value(), 1U);
  ask_for_more(0);
  ASSERT_EQ(left.port.send({&whole.train, 1}).taken, 1U);
  const auto segments = receive(right.port, whole.bytes.size(), batch);
  EXPECT_EQ(segments.size(), 5U);
  EXPECT_EQ(joined(segments), whole.bytes);
  EXPECT_EQ(right.port.counters().truncated.value(), 1U);
}

// A dropped datagram must not leave the next train in a buffer that the next poll writes to.
TEST(UdpPort, DroppedDatagramsLeaveTheBuffersInOrder) {
  Bound left = open_port(Family::v4), right = open_port(Family::v4);
  TrainBytes a{1, 50, 50, right.endpoint}, b{1, 60, 60, right.endpoint};
  TrainBytes large{1, 900, 900, right.endpoint}, c{1, 70, 70, right.endpoint};
  const std::array trains{a.train, large.train, b.train};
  ASSERT_EQ(left.port.send(trains).taken, 3U);
  PacketBatch batch{8, 512};
  EXPECT_EQ(right.port.poll(batch), 2U);
  ASSERT_EQ(left.port.send({&c.train, 1}).taken, 1U);
  EXPECT_EQ(right.port.poll(batch), 1U);
  ASSERT_EQ(batch.size(), 3U);
  EXPECT_TRUE(std::ranges::equal(batch[0].all(), a.bytes));
  EXPECT_TRUE(std::ranges::equal(batch[1].all(), b.bytes));
  EXPECT_TRUE(std::ranges::equal(batch[2].all(), c.bytes));
  EXPECT_EQ(right.port.counters().truncated.value(), 1U);
}

// Whoever judges datagrams must see, and count, the empty ones too.
TEST(UdpPort, EmptyDatagramsArrive) {
  Bound left = open_port(Family::v4), right = open_port(Family::v4);
  TrainBytes empty{1, 1, 0, right.endpoint};
  ASSERT_EQ(left.port.send({&empty.train, 1}).taken, 1U);
  PacketBatch batch{8, 512};
  ASSERT_EQ(right.port.poll(batch), 1U);
  EXPECT_EQ(batch[0].length, 0U);
  EXPECT_EQ(batch[0].segments(), 1U);
  EXPECT_EQ(batch[0].source, left.endpoint);
}

TEST(UdpPort, CountsWhatTheKernelDropped) {
  Bound left = open_port(Family::v4), right = open_port(Family::v4, &::sendmmsg, 4096);
  TrainBytes sent{1, 1000, 1000, right.endpoint};
  for (int i = 0; i < 200; ++i) left.port.send({&sent.train, 1});
  PacketBatch batch{64, 65'535};
  const std::size_t came = receive(right.port, SIZE_MAX, batch).size();
  ASSERT_LT(came, 200U);
  left.port.send({&sent.train, 1});  // the next one that arrives tells
  EXPECT_EQ(receive(right.port, 1000, batch).size(), 1U);
  EXPECT_EQ(right.port.kernel_drops(), 200 - came);
}

// An ICMP error queued on a socket must neither stop the receiver nor be taken for data.
TEST(UdpPort, QueuedErrorsAreCountedAndPassedOver) {
  Bound left = open_port(Family::v4), right = open_port(Family::v4);
  const Endpoint nobody = open_port(Family::v4).endpoint;  // closed again
  const int on = 1;
  ASSERT_EQ(::setsockopt(left.port.wait_fd(), IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
  TrainBytes lost{1, 50, 50, nobody}, back{1, 60, 60, left.endpoint};
  ASSERT_EQ(left.port.send({&lost.train, 1}).taken, 1U);
  ASSERT_EQ(right.port.send({&back.train, 1}).taken, 1U);
  PacketBatch batch{8, 65'535};
  EXPECT_EQ(left.port.poll(batch), 1U);
  EXPECT_GE(left.port.counters().receive_errors.value(), 1U);
}

TEST(OpenUdp, RefusesAPortInUseAndNamesIt) {
  const auto first = open_udp({.family = Family::v4});
  ASSERT_TRUE(first);
  EXPECT_NE(first->port, 0);
  const auto second = open_udp({.family = Family::v4, .port = first->port});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os_errno, EADDRINUSE);
  EXPECT_NE(second.error().text().find(std::to_string(first->port)), std::string::npos);
}

TEST(OpenUdp, BothFamiliesShareAPort) {
  const auto v6 = open_udp({.family = Family::v6});
  ASSERT_TRUE(v6);
  EXPECT_TRUE(open_udp({.family = Family::v4, .port = v6->port}));
  const auto group = open_udp({.family = Family::v4, .reuse_port = true});
  ASSERT_TRUE(group);
  EXPECT_TRUE(open_udp({.family = Family::v4, .port = group->port, .reuse_port = true}));
}

}  // namespace
}  // namespace tw
