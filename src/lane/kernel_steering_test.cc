// The programs that steer, in the kernel, beside what the lanes find of the same packets: real
// sockets on loopback. Needs root. What comes from the host:
// src/port/kernel/kernel_steering_test.cc
#include "port/kernel/kernel_steering.h"

#include <gtest/gtest.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/random.h"
#include "port/udp/sockets.h"
#include "steer/receiver_index.h"
#include "wire/be.h"
#include "wire/message/wg_message.h"
#include "wire/sockaddr.h"

namespace tw {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t workers = 4;

std::uint16_t worker_of(Bucket bucket) { return bucket.value / 5 % workers; }

/// A message of this type and length, its receiver index where that type has it.
Bytes message_to(std::uint32_t type, std::size_t length, std::uint32_t receiver_index) {
  Bytes bytes(std::max<std::size_t>(length, 16), 0x5a);
  store_le32(bytes, 0, type);
  store_le32(bytes, type == 2 ? 8 : 4, receiver_index);
  bytes.resize(length);
  return bytes;
}

/// The worker that owns the session of a message, as a lane reads it.
std::optional<std::uint16_t> owner_of(const ReceiverIndex& codec, ByteView message) {
  const std::optional<WgType> type = classify(message);
  if (!type || *type == WgType::initiation) return std::nullopt;
  const std::size_t at = *type == WgType::response ? 8 : 4;
  return worker_of(codec.bucket_of(load_le32(message, at)));
}

class KernelSteeringTest : public testing::TestWithParam<Family> {
 protected:
  void SetUp() override {
    Result<KernelSteering> loaded = KernelSteering::load(cipher_.round_keys(), workers);
    if (!loaded) GTEST_SKIP() << "needs CAP_BPF: " << loaded.error().text();
    steering_ = std::make_unique<KernelSteering>(std::move(*loaded));
    for (std::uint16_t bucket = 0; bucket < Bucket::count; ++bucket) {
      steering_->assign(bucket, worker_of(Bucket{bucket}));
    }
    for (std::size_t worker = 0; worker < workers; ++worker) open_worker();
    ASSERT_TRUE(steering_->attach_wire(sockets_.front().fd.get()));
    for (std::size_t worker = 0; worker < workers; ++worker) {
      const auto told = steering_->use_socket(GetParam(), worker, sockets_[worker].fd.get());
      ASSERT_TRUE(told) << told.error().text();
    }
    sender_ = new_sender();
    strangers_ = *arrival(message_to(1, wg_initiation_size, 0));
  }

  void open_worker() {
    UdpOptions options{.family = GetParam(), .receive_trains = false};
    options.address = loopback();
    options.reuse_port = !sockets_.empty();
    if (options.reuse_port) options.port = sockets_.front().port;
    Result<UdpSocket> opened = open_udp(options);
    ASSERT_TRUE(opened) << opened.error().text();
    if (sockets_.empty()) ASSERT_TRUE(share_port(opened->fd.get()));
    sockets_.push_back(std::move(*opened));
  }
  static IpAddress loopback() {
    return *IpAddress::parse(GetParam() == Family::v4 ? "127.0.0.1" : "::1");
  }
  UniqueFd new_sender() const {
    Result<UdpSocket> opened = open_udp({.family = GetParam(), .address = loopback()});
    EXPECT_TRUE(opened);
    const SocketAddress to = to_sockaddr({loopback(), sockets_.front().port});
    EXPECT_EQ(::connect(opened->fd.get(), to.get(), to.length), 0);
    return std::move(opened->fd);
  }
  /// Takes the one datagram that waits: which worker has got it.
  std::optional<std::uint16_t> take() {
    std::optional<std::uint16_t> taken;
    for (std::uint16_t worker = 0; worker < workers; ++worker) {
      std::array<std::uint8_t, 2048> buffer{};
      while (::recv(sockets_[worker].fd.get(), buffer.data(), buffer.size(), 0) >= 0) {
        EXPECT_FALSE(taken);
        taken = worker;
      }
    }
    return taken;
  }
  std::optional<std::uint16_t> arrival(const Bytes& message) {
    EXPECT_EQ(::send(sender_.get(), message.data(), message.size(), 0),
              static_cast<ssize_t>(message.size()));
    return take();
  }
  std::uint32_t index_to(std::uint16_t worker) {
    for (;;) {
      const Bucket bucket{static_cast<std::uint16_t>(random_.next() % Bucket::count)};
      if (worker_of(bucket) == worker) {
        return codec_.encode(bucket, static_cast<std::uint32_t>(random_.next()));
      }
    }
  }
  std::uint16_t not_strangers() const {
    return static_cast<std::uint16_t>((strangers_ + 1) % workers);
  }

  SeededRandom random_{16};
  Speck32 cipher_{0x0123'4567'89ab'cdefU};
  ReceiverIndex codec_{0x0123'4567'89ab'cdefU};
  std::unique_ptr<KernelSteering> steering_;
  std::vector<UdpSocket> sockets_;
  UniqueFd sender_;
  std::uint16_t strangers_ = 0;  // gets what the sender sends to nobody
};

INSTANTIATE_TEST_SUITE_P(Families, KernelSteeringTest, testing::Values(Family::v4, Family::v6),
                         [](const auto& of) { return of.param == Family::v4 ? "V4" : "V6"; });

TEST_P(KernelSteeringTest, PutsEachMessageOnTheSocketOfItsOwner) {
  constexpr std::array<std::pair<std::uint32_t, std::size_t>, 4> kinds{
      {{2, wg_response_size}, {3, wg_cookie_reply_size}, {4, wg_data_min_size}, {4, 1452}}};
  for (std::uint32_t bucket = 0; bucket < Bucket::count; bucket += 3) {
    const auto index = codec_.encode(Bucket{static_cast<std::uint16_t>(bucket)},
                                     static_cast<std::uint32_t>(random_.next()));
    const auto [type, length] = kinds[bucket % kinds.size()];
    EXPECT_EQ(arrival(message_to(type, length, index)),
              worker_of(Bucket{static_cast<std::uint16_t>(bucket)}));
  }
}

// The program and a lane must not differ in a bit. What is no message, or has no receiver, goes
// where this sender's strays go, whatever it says at the place of an index.
TEST_P(KernelSteeringTest, AgreesWithTheLanesAboutAnyBytes) {
  std::size_t owned = 0, strays = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t dice = random_.next();
    constexpr std::array lengths{0, 4, 8, 11, 12, 31, 32, 63, 64, 91, 92, 147, 148, 1452};
    const auto length = static_cast<std::size_t>(lengths[dice % lengths.size()]);
    std::uint32_t type = dice >> 8U & 7U;
    if ((dice >> 16U & 7U) == 0) type |= 1U << (8 + (dice >> 20U) % 24);  // a reserved bit
    // A response and a cookie reply may head a train: the program cannot tell how long they are.
    if ((type == 2 && length > wg_response_size) || (type == 3 && length > wg_cookie_reply_size)) {
      continue;
    }
    const Bytes message = message_to(type, length, static_cast<std::uint32_t>(random_.next()));
    const std::optional<std::uint16_t> owner = owner_of(codec_, message);
    ASSERT_EQ(arrival(message), owner.value_or(strangers_)) << type << ' ' << length;
    ++(owner ? owned : strays);
  }
  EXPECT_GT(owned, 1'000U);
  EXPECT_GT(strays, 1'000U);
}

TEST_P(KernelSteeringTest, AMessageThatIsCutShortIsNobodys) {
  for (const auto& [type, whole] :
       {std::pair{2U, wg_response_size}, {3U, wg_cookie_reply_size}, {4U, wg_data_min_size}}) {
    const Bytes message = message_to(type, whole, index_to(not_strangers()));
    ASSERT_EQ(arrival(message), not_strangers());
    for (std::size_t length = 0; length < whole; ++length) {
      EXPECT_EQ(arrival({message.begin(), message.begin() + static_cast<std::ptrdiff_t>(length)}),
                strangers_)
          << type << ' ' << length;
    }
  }
}

TEST_P(KernelSteeringTest, AStoreInTheTableIsSeenByTheNextPacket) {
  const std::uint32_t index = codec_.encode(Bucket{77}, 1);
  for (std::uint16_t worker = 0; worker < workers; ++worker) {
    steering_->assign(77, worker);
    EXPECT_EQ(arrival(message_to(4, 100, index)), worker);
    EXPECT_EQ(arrival(message_to(4, 100, codec_.encode(Bucket{78}, 1))), worker_of(Bucket{78}));
  }
}

// A client that roams stays where its session is; initiations of many spread.
TEST_P(KernelSteeringTest, AnotherPortOfTheSenderChangesNothingButWhereStraysGo) {
  const Bytes message = message_to(4, 100, index_to(2));
  std::array<std::size_t, workers> initiations{};
  for (int i = 0; i < 200; ++i) {
    sender_ = new_sender();
    EXPECT_EQ(arrival(message), 2);
    ++initiations[*arrival(message_to(1, wg_initiation_size, 0))];
  }
  for (const std::size_t count : initiations) EXPECT_GT(count, 20U);
}

// Why each message is checked again: of a train the program sees the first one only.
TEST_P(KernelSteeringTest, OfATrainTheFirstMessageDecides) {
  const int on = 1, size = 100;
  for (const UdpSocket& socket : sockets_) {
    ASSERT_EQ(::setsockopt(socket.fd.get(), SOL_UDP, UDP_GRO, &on, sizeof on), 0);
  }
  ASSERT_EQ(::setsockopt(sender_.get(), SOL_UDP, UDP_SEGMENT, &size, sizeof size), 0);
  Bytes train;
  for (const std::uint16_t worker : std::array<std::uint16_t, workers>{3, 0, 1, 2}) {
    const Bytes message = message_to(4, 100, index_to(worker));
    train.insert(train.end(), message.begin(), message.end());
  }
  EXPECT_EQ(arrival(train), 3);
}

// The port is somebody's: a second node must be refused, and not become one of the group.
TEST_P(KernelSteeringTest, APortThatIsSharedIsTakenForOthers) {
  UdpOptions options{.family = GetParam(), .port = sockets_.front().port};
  options.address = loopback();
  const Result<UdpSocket> second = open_udp(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os_errno, EADDRINUSE);
}

// While the port changes, the array has the new sockets: then the group before is spread by hash.
TEST_P(KernelSteeringTest, WithoutItsSocketsTheGroupStillTakesAll) {
  std::vector<UdpSocket> before = std::exchange(sockets_, {});
  for (std::size_t worker = 0; worker < workers; ++worker) open_worker();
  ASSERT_TRUE(steering_->attach_wire(sockets_.front().fd.get()));
  for (std::size_t worker = 0; worker < workers; ++worker) {
    ASSERT_TRUE(steering_->use_socket(GetParam(), worker, sockets_[worker].fd.get()));
  }
  std::swap(before, sockets_);
  for (std::uint16_t worker = 0; worker < workers; ++worker) {
    EXPECT_TRUE(arrival(message_to(4, 100, index_to(worker))));
  }
  std::swap(before, sockets_);
  sender_ = new_sender();
  EXPECT_EQ(arrival(message_to(4, 100, index_to(2))), 2);
}

}  // namespace
}  // namespace tw
