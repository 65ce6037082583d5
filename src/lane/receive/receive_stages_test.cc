// Tests the stages of the receive side one by one: each takes a value and makes the next, so that
// time may pass between two of them, and sessions may change.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "lane/receive/receive_pipeline.h"
#include "lane/test_machines.h"

// Only programs that a sanitizer is linked to have it.
extern "C" __attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(
    void (*on_malloc)(const volatile void*, std::size_t), void (*on_free)(const volatile void*));

namespace tw::lane {
namespace {

std::atomic<bool> counting{false};
std::atomic<std::uint64_t> allocations{0};

void on_malloc(const volatile void* /*memory*/, std::size_t /*bytes*/) {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}
void on_free(const volatile void* /*memory*/) {}

crypto::SymmetricKey key_of(std::uint32_t index) {
  crypto::SymmetricKey key;
  store_le32(key.span(), 0, index);
  return key;
}

/// Takes everything, and notes where it lay.
class NotingPort final : public Port {
 public:
  std::size_t poll(PacketBatch&) noexcept override { return 0; }
  SendResult send(std::span<const Train> trains) noexcept override {
    for (const Train& train : trains) last = train.bytes;
    sent += trains.size();
    return {.taken = trains.size()};
  }
  int wait_fd() const noexcept override { return -1; }

  std::size_t sent = 0;
  const std::uint8_t* last = nullptr;
};

class ReceiveStagesTest : public testing::Test {
 protected:
  ReceiveStagesTest() {
    for (const std::uint32_t slot : {0U, 1U}) {
      LanePeer& peer = peers_.add(wg::PeerId{slot});
      peers_.allowed_ips().insert(*Prefix::parse("10.0.0." + std::to_string(slot + 1)), peer.id);
    }
  }
  LanePeer& peer(std::uint32_t slot) { return *peers_.find(wg::PeerId{slot}); }

  void install(std::uint32_t slot, std::uint32_t index, bool is_initiator,
               wg::ReleasedKeypairs& released) {
    wg::Keypair keypair;
    keypair.local_index = index;
    keypair.receive_key = key_of(index);
    keypair.created = now_;
    keypair.is_initiator = is_initiator;
    peers_.bind_index(index, wg::PeerId{slot});
    wg::SessionActions actions;
    peer(slot).session.install(std::move(keypair), now_, released, actions);
  }
  void install(std::uint32_t slot, std::uint32_t index, bool is_initiator = true) {
    wg::ReleasedKeypairs released;
    install(slot, index, is_initiator, released);
  }
  /// Puts a transport packet, as a train, behind what is in the batch.
  void arrives(std::uint32_t index, std::uint64_t counter, std::vector<std::uint8_t> inner,
               bool spoilt = false) {
    const ByteSpan buffer = batch_.buffer().first(wg_data_min_size + inner.size());
    write_wg_data_header(buffer.first<wg_data_header_size>(), index, counter);
    std::ranges::copy(inner, buffer.begin() + wg_data_header_size);
    const crypto::SymmetricKey key = key_of(index);
    crypto::AeadJob job{.key = &key,
                        .counter = counter,
                        .text = buffer.data() + wg_data_header_size,
                        .length = static_cast<std::uint32_t>(inner.size())};
    engine_->submit_seal({&job, 1});
    engine_->complete();
    if (spoilt) buffer.back() ^= 1U;
    Train train;
    train.bytes = buffer.data();
    train.length = train.segment_size = static_cast<std::uint32_t>(buffer.size());
    batch_.append(train);
  }
  std::size_t receive(std::size_t budget = 1000) {
    Turn turn{now_, budget};
    return receive_.receive(batch_, place_, turn, sealed_);
  }
  void deliver() {
    deliver_.deliver(open_.open(sealed_), now_, events_);
    sealed_.clear();
  }
  const DropCounters& drops() const { return counters_.from_wire.drops; }

  static constexpr std::size_t capacity = 8;
  const Instant now_{1s};
  LaneCounters counters_;
  PeerTable peers_;
  HandshakeChannel channel_;
  KnownSources known_sources_;
  HandshakeGate gate_{channel_, known_sources_};
  HeldSyns syns_;
  ReceiverIndex codec_{7};
  SteeringTable steering_;
  std::unique_ptr<crypto::AeadEngine> engine_ = crypto::make_openssl_engine();
  NotingPort tun_;
  PacketBatch batch_{64, 2048};
  BatchPlace place_;
  TunWriter writer_{tun_, counters_.from_wire, capacity};
  Strangers strangers_;
  ReceiveStage receive_{peers_,    gate_,        strangers_,         codec_,
                        steering_, ContextId{0}, counters_.from_wire};
  OpenStage open_{*engine_, counters_};
  DeliverStage deliver_{peers_, syns_, writer_, counters_.from_wire};
  SealedPackets sealed_{capacity};
  SessionEvents events_{capacity};
};

TEST_F(ReceiveStagesTest, AnOpenedBatchIsAValue) {
  install(0, 100);
  install(1, 101);
  arrives(100, 0, test::ip_packet(1, 9, 4, 0));
  arrives(101, 0, test::ip_packet(2, 9, 4, 0));
  arrives(100, 1, test::ip_packet(1, 9, 4, 0), true);
  const std::uint8_t* const second = batch_[1].bytes + wg_data_header_size;
  receive();
  EXPECT_EQ(place_.train, 3U);
  const OpenedPackets opened = open_.open(sealed_);
  ASSERT_EQ(opened.jobs.size(), 3U);
  EXPECT_EQ(opened.arrivals[0].peer, &peer(0));
  EXPECT_EQ(opened.arrivals[1].peer, &peer(1));
  EXPECT_TRUE(opened.jobs[0].authentic && opened.jobs[1].authentic);
  EXPECT_FALSE(opened.jobs[2].authentic);
  EXPECT_EQ(opened.jobs[1].text, second) << "where it was received";
  EXPECT_EQ(peer(0).received_bytes, 0U) << "nobody has been told yet";
  deliver_.deliver(opened, now_, events_);
  EXPECT_EQ(tun_.sent, 2U);
  EXPECT_EQ(tun_.last, second) << "and it leaves from there";
  EXPECT_EQ(drops().of(Drop::bad_tag), 1U);
  EXPECT_EQ(peer(0).received_bytes, wg_data_min_size + 24);
}

TEST_F(ReceiveStagesTest, SessionsSayOnceARunWhatTheyWant) {
  install(0, 100, false);
  install(1, 101);
  arrives(100, 0, {});
  arrives(100, 1, {});
  arrives(101, 0, {});
  arrives(100, 2, {});
  receive();
  deliver();
  std::vector<LanePeer*> whose;
  std::vector<bool> confirmed;
  events_.drain([&](const SessionEvent& event) {
    whose.push_back(event.peer);
    confirmed.push_back(event.actions.confirmed);
  });
  EXPECT_EQ(whose, (std::vector{&peer(0), &peer(1), &peer(0)}));
  EXPECT_EQ(confirmed, (std::vector{true, false, false}));
  EXPECT_EQ(counters_.from_wire.consumed.value(), 4U);
}

// Stages may run on different threads, so that a keypair goes while packets under it
// are on their way, and nobody looks it up again.
TEST_F(ReceiveStagesTest, AKeypairThatGoesMeanwhileOpensNothingMore) {
  install(0, 100);
  arrives(100, 0, test::ip_packet(1, 9, 4, 0));
  receive();
  wg::ReleasedKeypairs released;
  install(0, 102, true, released);
  EXPECT_TRUE(released.empty());
  install(0, 103, true, released);
  ASSERT_EQ(released.indices().size(), 1U);
  EXPECT_EQ(released.indices()[0], 100U);
  deliver();
  EXPECT_EQ(tun_.sent, 0U);
  EXPECT_EQ(drops().of(Drop::keypair_expired), 1U);
  EXPECT_EQ(peer(0).received_bytes, 0U);
}

TEST_F(ReceiveStagesTest, ATrainWaitsForRoom) {
  install(0, 100);
  for (std::uint64_t counter = 0; counter < capacity + 3; ++counter) arrives(100, counter, {});
  receive();
  EXPECT_EQ(place_.train, capacity);
  EXPECT_EQ(sealed_.room(), 0U);
  deliver();
  events_.drain([](const SessionEvent&) {});
  receive();
  EXPECT_EQ(place_.train, capacity + 3);
  deliver();
  EXPECT_EQ(counters_.from_wire.consumed.value(), capacity + 3);
}

TEST_F(ReceiveStagesTest, ATurnEndsTheFirstStage) {
  install(0, 100);
  for (std::uint64_t counter = 0; counter < 4; ++counter) arrives(100, counter, {});
  receive(3);
  EXPECT_EQ(place_.train, 3U);
  EXPECT_EQ(counters_.from_wire.received.value(), 3U);
}

TEST_F(ReceiveStagesTest, ABucketOfAnotherWorkerIsPassedOnAndNotLookedUp) {
  const ManualClock clock;
  ManualContext owner{ContextId{1}, clock};
  TrainRing wire{std::size_t{1} << 18U}, host{std::size_t{1} << 18U};
  strangers_.add(owner, wire, host);
  install(0, 100);
  steering_.assign(codec_.bucket_of(100), owner.id());
  arrives(100, 0, {});
  receive();
  EXPECT_TRUE(sealed_.empty());
  EXPECT_EQ(counters_.from_wire.passed_on.value(), 1U);
  EXPECT_EQ(counters_.from_wire.queued(), 0);
  EXPECT_FALSE(wire.empty());
}

TEST_F(ReceiveStagesTest, NothingIsAllocatedForAPacket) {
  if (&__sanitizer_install_malloc_and_free_hooks == nullptr) GTEST_SKIP() << "no sanitizer";
  static const bool hooked = __sanitizer_install_malloc_and_free_hooks(&on_malloc, &on_free) != 0;
  ASSERT_TRUE(hooked);
  counting = true;
  const std::vector<int> seen(100);
  counting = false;
  ASSERT_EQ(allocations, 1U) << "nothing is counted, and this test says nothing";
  allocations = 0;
  install(0, 100);
  install(1, 101);
  std::uint64_t counter = 0;
  for (int round = 0; round < 100; ++round) {
    batch_.clear();
    place_ = {};
    for (std::size_t i = 0; i < capacity; ++i, ++counter) {
      arrives(100 + counter % 2, counter,
              test::ip_packet(static_cast<std::uint8_t>(1 + counter % 2), 9, 4, 0));
    }
    counting = true;
    receive();
    deliver();
    events_.drain([](const SessionEvent&) {});
    counting = false;
  }
  EXPECT_EQ(tun_.sent, 100 * capacity);
  EXPECT_EQ(allocations, 0U);
}

}  // namespace
}  // namespace tw::lane
