// Packets that come to a lane and are another's: trains that mix the sessions of several lanes,
// messages of other types among them, heads that somebody forged, and packets of the host on any
// queue. All clients stand behind one address, as behind a NAT.
#include "lane/strangers/strangers.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "lane/test_machines.h"
#include "lane/test_two_lanes.h"

namespace tw::lane {
namespace {

using test::ip_packet, test::Machine, test::only_peer, test::Packets, test::TwoLanes;

constexpr std::uint8_t server = 99;
constexpr std::size_t clients = 6;  // half of them on each lane

class StrangersTest : public testing::Test {
 protected:
  struct Client {
    std::unique_ptr<Machine> machine;
    MemoryPort wire;  // the far end of its socket
    wg::PeerId peer;
    std::size_t lane = 0;
    std::uint8_t number = 0;  // of its address inside
    Endpoint endpoint;
  };

  StrangersTest() {
    for (std::size_t i = 0; i < clients; ++i) {
      Client& client = *clients_.emplace_back(std::make_unique<Client>());
      client.lane = i % 2;
      client.number = static_cast<std::uint8_t>(i + 1);
      client.endpoint = *Endpoint::parse("192.0.2.1:" + std::to_string(1000 + i));
      client.machine = std::make_unique<Machine>(100 + i, clock_);
      MemoryPort::join(client.machine->udp(), client.wire);
      client.machine->add_peer(gateway_.public_key(), server, true);
      client.peer = gateway_.peer_of(client.lane, static_cast<std::uint32_t>(i / 2));
      gateway_.add_peer(client.peer, client.machine->public_key(), address(client));
    }
  }

  static std::string address(const Client& client) {
    return "10.0.0." + std::to_string(client.number);
  }
  Client& client(std::size_t number) { return *clients_[number]; }

  /// Datagrams that have left a client.
  Packets sent_by(Client& client) {
    client.machine->context().run_until_idle();
    PacketBatch batch{64, 65'536};
    client.wire.poll(batch);
    Packets datagrams;
    for (const Train& train : batch.trains()) {
      for (std::size_t i = 0; i < train.segments(); ++i) {
        const ByteSpan segment = train.segment(i);
        datagrams.emplace_back(segment.begin(), segment.end());
      }
    }
    return datagrams;
  }
  /// Datagrams of a client to its server, each with `payload` bytes that say `fill`.
  Packets data_of(Client& client, std::uint8_t fill, std::size_t payload = 100) {
    client.machine->from_host(ip_packet(client.number, server, payload, fill));
    return sent_by(client);
  }
  /// Puts datagrams, all as long as the first one but for a shorter last, on a lane's socket.
  void arrive(std::size_t lane, const Packets& datagrams, const Endpoint& source) {
    std::vector<std::uint8_t> bytes;
    for (const auto& datagram : datagrams)
      bytes.insert(bytes.end(), datagram.begin(), datagram.end());
    Train train;
    train.bytes = bytes.data();
    train.length = static_cast<std::uint32_t>(bytes.size());
    train.segment_size = static_cast<std::uint32_t>(datagrams.front().size());
    ASSERT_EQ(train.segments(), datagrams.size());
    train.source = source;
    ASSERT_EQ(gateway_.wire[lane].send({&train, 1}).taken, 1U);
  }
  /// Carries what the gateway has sent to the clients that it is for.
  void answer() {
    gateway_.run();
    for (MemoryPort& wire : gateway_.wire) {
      PacketBatch batch{256, 65'536};
      wire.poll(batch);
      for (const Train& train : batch.trains()) {
        for (const auto& one : clients_) {
          if (one->endpoint == train.destination) EXPECT_EQ(one->wire.send({&train, 1}).taken, 1U);
        }
      }
    }
    for (const auto& one : clients_) one->machine->context().run_until_idle();
  }
  /// `lane`: whose socket gets the client's handshake.
  void connect(Client& client, std::size_t lane) {
    for (const auto& initiation : data_of(client, 0)) arrive(lane, {initiation}, client.endpoint);
    answer();
    for (const auto& datagram : sent_by(client)) arrive(lane, {datagram}, client.endpoint);
    gateway_.run();
    at_host(0);
    at_host(1);
  }
  void connect_all() {
    for (std::size_t i = 0; i < clients; ++i) connect(client(i), i / 2 % 2);
  }

  struct AtHost {
    std::uint8_t from, fill;
    friend bool operator==(const AtHost&, const AtHost&) = default;
  };
  /// Returns the packets that have come out of a lane's TUN queue.
  std::vector<AtHost> at_host(std::size_t lane) {
    PacketBatch batch{256, 65'536};
    gateway_.host[lane].poll(batch);
    std::vector<AtHost> packets;
    for (const Train& train : batch.trains()) {
      EXPECT_GT(train.length, 20U);
      packets.push_back({train.bytes[15], train.bytes[train.length - 1]});
    }
    return packets;
  }
  void expect_conserved() {
    std::int64_t between_wire = 0, between_host = 0;
    for (const std::size_t lane : {0U, 1U}) {
      const LaneCounters& counters = gateway_.counters(lane);
      EXPECT_EQ(counters.from_wire.queued(), 0) << lane;
      EXPECT_EQ(counters.to_wire.queued(), 0) << lane;
      between_wire += static_cast<std::int64_t>(counters.from_wire.passed_on.value()) -
                      static_cast<std::int64_t>(counters.from_wire.taken_over.value());
      between_host += static_cast<std::int64_t>(counters.to_wire.passed_on.value()) -
                      static_cast<std::int64_t>(counters.to_wire.taken_over.value());
    }
    EXPECT_EQ(between_wire, 0);
    EXPECT_EQ(between_host, 0);
  }
  std::uint64_t drops(Drop reason) const {
    return gateway_.counters(0).from_wire.drops.of(reason) +
           gateway_.counters(1).from_wire.drops.of(reason);
  }
  std::uint64_t all_drops() const {
    std::uint64_t sum = 0;
    for (const std::size_t lane : {0U, 1U}) {
      sum += gateway_.counters(lane).from_wire.drops.total() +
             gateway_.counters(lane).to_wire.drops.total();
    }
    return sum;
  }
  /// Three packets of each client, one after the other in a train.
  Packets mixed_train() {
    Packets train;
    for (std::uint8_t round = 1; round <= 3; ++round) {
      for (const auto& one : clients_) {
        for (auto& datagram : data_of(*one, round)) train.push_back(std::move(datagram));
      }
    }
    return train;
  }
  void expect_all_of_mixed_train() {
    for (const std::size_t lane : {0U, 1U}) {
      std::vector<AtHost> expected;
      for (std::uint8_t round = 1; round <= 3; ++round) {
        for (const auto& one : clients_) {
          if (one->lane == lane) expected.push_back({one->number, round});
        }
      }
      EXPECT_EQ(at_host(lane), expected) << lane;
    }
  }

  ManualClock clock_;
  TwoLanes gateway_{clock_};
  std::vector<std::unique_ptr<Client>> clients_;
};

TEST_F(StrangersTest, OfATrainThatMixesSessionsEachPacketReachesItsOwner) {
  connect_all();
  const std::uint64_t before = gateway_.counters(1).from_wire.taken_over.value();
  const Packets train = mixed_train();
  arrive(0, train, client(0).endpoint);
  gateway_.run();
  expect_all_of_mixed_train();
  EXPECT_EQ(gateway_.counters(1).from_wire.taken_over.value() - before, train.size() / 2);
  EXPECT_EQ(all_drops(), 0U);
  expect_conserved();
}

// A lane that passes packets on wakes their owner once a batch: no packet waits for the next.
TEST_F(StrangersTest, TheOwnerIsWokenOnceABatch) {
  ManualContext owner{ContextId{7}, clock_};
  TrainRing wire{std::size_t{1} << 18U}, host{std::size_t{1} << 18U};
  Strangers strangers;
  strangers.add(owner, wire, host);
  owner.run_until_idle();
  std::vector<std::uint8_t> bytes(100);
  EXPECT_TRUE(strangers.from_wire(owner.id(), {}, bytes));
  EXPECT_FALSE(strangers.from_wire(ContextId{8}, {}, bytes)) << "nobody has this id";
  EXPECT_GT(owner.next_deadline(), clock_.now());
  strangers.publish();
  EXPECT_LE(owner.next_deadline(), clock_.now());
  owner.run_until_idle();
  strangers.publish();
  EXPECT_GT(owner.next_deadline(), clock_.now());
}

// Where a run is one session's, it is passed on as the train that it was.
TEST_F(StrangersTest, ARunStaysATrain) {
  connect(client(1), 1);
  Packets train;
  for (std::uint8_t number = 0; number < 40; ++number) {
    for (auto& datagram : data_of(client(1), number)) train.push_back(std::move(datagram));
  }
  arrive(0, train, client(1).endpoint);
  gateway_.context(0).run_until_idle();
  const LaneCounters& owner = gateway_.counters(1);
  const std::uint64_t batches = owner.open_batches.value(), jobs = owner.open_jobs.value();
  gateway_.run();
  EXPECT_EQ(owner.open_jobs.value() - jobs, 40U);
  EXPECT_EQ(owner.open_batches.value() - batches, 1U);
}

TEST_F(StrangersTest, AnInitiationAtTheTailOfADataTrainIsAnswered) {
  for (std::size_t i = 0; i + 1 < clients; ++i) connect(client(i), 0);
  Client& newcomer = client(clients - 1);
  Packets train;
  for (std::size_t i = 0; i + 1 < clients; ++i) {
    for (auto& datagram : data_of(client(i), 1, 200)) train.push_back(std::move(datagram));
  }
  for (auto& datagram : data_of(newcomer, 9)) train.push_back(std::move(datagram));
  ASSERT_EQ(train.back().size(), wg_initiation_size);
  arrive(0, train, newcomer.endpoint);
  answer();
  for (const auto& datagram : sent_by(newcomer)) arrive(0, {datagram}, newcomer.endpoint);
  gateway_.run();
  EXPECT_EQ(at_host(0).size(), 3U);
  const std::vector<AtHost> second = at_host(1);
  ASSERT_EQ(second.size(), 3U);
  EXPECT_EQ(second.back(), (AtHost{newcomer.number, 9}));
  EXPECT_EQ(all_drops(), 0U);
  expect_conserved();
}

// Whoever forges the head of a train chooses where the kernel puts it, and no more.
TEST_F(StrangersTest, AForgedHeadOfAnyTypeTakesNobodysPackets) {
  connect_all();
  SeededRandom random{5};
  for (std::uint32_t type = 0; type <= 5; ++type) {
    for (const std::size_t lane : {0U, 1U}) {
      Packets train = mixed_train();
      std::vector<std::uint8_t> forged(train.front().size());
      for (std::uint8_t& byte : forged) byte = static_cast<std::uint8_t>(random.next());
      store_le32(forged, 0, type);
      train.insert(train.begin(), std::move(forged));
      const std::uint64_t before = all_drops();
      arrive(lane, train, client(0).endpoint);
      gateway_.run();
      EXPECT_EQ(all_drops() - before, 1U);
      EXPECT_EQ(gateway_.wire[0].waiting() + gateway_.wire[1].waiting(), 0U) << "no answer";
      expect_all_of_mixed_train();
    }
  }
  expect_conserved();
}

// The same for messages that are what they say, but of nobody.
TEST_F(StrangersTest, AMessageOfNobodyEndsWhereItIsKnownToBeNobodys) {
  connect_all();
  for (const auto& [type, size] : {std::pair{1U, wg_initiation_size},
                                   {2U, wg_response_size},
                                   {3U, wg_cookie_reply_size},
                                   {4U, wg_data_min_size}}) {
    for (std::uint32_t index = 0; index < 64; ++index) {
      std::vector<std::uint8_t> forged(size, 0x5a);
      store_le32(forged, 0, type);
      store_le32(forged, type == 2 ? 8 : 4, index * 0x0123'4567U);
      arrive(index % 2, {forged}, client(0).endpoint);
    }
  }
  gateway_.run();
  EXPECT_EQ(drops(Drop::bad_mac1), 128U);
  EXPECT_EQ(drops(Drop::no_keypair), 64U);
  expect_conserved();
}

TEST_F(StrangersTest, WhatFindsTheRingFullIsDroppedAndCounted) {
  connect(client(1), 1);
  std::size_t sent = 0;
  for (int i = 0; i < 1'000; ++i) {
    const Packets datagrams = data_of(client(1), 1, 1'300);
    arrive(0, datagrams, client(1).endpoint);
    sent += datagrams.size();
    gateway_.context(0).run_until_idle();  // and the owner does not
  }
  const std::uint64_t full = drops(Drop::queue_full);
  EXPECT_GT(full, 0U);
  EXPECT_LT(full, sent);
  gateway_.run();
  EXPECT_EQ(at_host(1).size(), 256U);  // as many as the test takes at once
  expect_conserved();
}

TEST_F(StrangersTest, PacketsOfTheHostAreSealedByTheOwnerWhateverQueueTheyCameOn) {
  connect_all();
  for (const auto& one : clients_) one->machine->to_host();
  for (std::uint8_t round = 1; round <= 4; ++round) {
    for (const auto& one : clients_) {
      const std::size_t queue = round % 2;
      std::vector<std::uint8_t> packet = ip_packet(server, one->number, 64, round);
      Train train;
      train.bytes = packet.data();
      train.length = train.segment_size = static_cast<std::uint32_t>(packet.size());
      ASSERT_EQ(gateway_.host[queue].send({&train, 1}).taken, 1U);
    }
    answer();
  }
  for (const auto& one : clients_) {
    const Packets packets = one->machine->to_host();
    ASSERT_EQ(packets.size(), 4U) << address(*one);
    for (std::uint8_t round = 1; round <= 4; ++round) EXPECT_EQ(packets[round - 1U].back(), round);
  }
  EXPECT_EQ(gateway_.counters(0).to_wire.passed_on.value(), 2 * clients / 2);
  EXPECT_EQ(gateway_.counters(1).to_wire.passed_on.value(), 2 * clients / 2);
  EXPECT_EQ(all_drops(), 0U);
  expect_conserved();
}

// The lane that gets a packet without a route answers it, and does not send it round.
TEST_F(StrangersTest, WhatHasNoRouteIsAnsweredAtOnce) {
  for (const std::size_t queue : {0U, 1U}) {
    std::vector<std::uint8_t> packet = ip_packet(server, 77, 64, 1);
    Train train;
    train.bytes = packet.data();
    train.length = train.segment_size = static_cast<std::uint32_t>(packet.size());
    ASSERT_EQ(gateway_.host[queue].send({&train, 1}).taken, 1U);
    gateway_.run();
    EXPECT_EQ(gateway_.counters(queue).to_wire.drops.of(Drop::no_route), 1U);
    EXPECT_EQ(gateway_.host[queue].waiting(), 1U);  // ICMP
  }
  expect_conserved();
}

TEST_F(StrangersTest, AGsoPacketIsPassedOnWhole) {
  connect(client(1), 1);
  client(1).machine->to_host();
  std::vector<std::uint8_t> packet = test::tcp_packet(server, client(1).number, 0x10, 7, 0, 4'000);
  Train train;
  train.bytes = packet.data();
  train.length = train.segment_size = static_cast<std::uint32_t>(packet.size());
  train.vnet = {.flags = VnetHeader::needs_csum,
                .gso_type = VnetHeader::gso_tcp4,
                .header_length = 40,
                .gso_size = 1'000,
                .csum_start = 20,
                .csum_offset = 16};
  ASSERT_EQ(gateway_.host[0].send({&train, 1}).taken, 1U);
  answer();
  EXPECT_EQ(gateway_.counters(1).to_wire.taken_over.value(), 4U);
  EXPECT_EQ(gateway_.counters(0).to_wire.received.value(), 4U);
  EXPECT_EQ(client(1).machine->to_host().size(), 4U);
  expect_conserved();
}

// A source with which one lane has had a handshake is known to the gate of the other, too: an
// initiation may come to any.
TEST_F(StrangersTest, WhoIsKnownToOneGateIsKnownToAll) {
  KnownSources known;
  HandshakeChannel first, second;
  HandshakeGate one{first, known}, other{second, known};
  for (HandshakeGate* gate : {&one, &other}) gate->set_public_key(gateway_.public_key());
  for (std::size_t i = 0; i < HandshakeGate::for_unproven; ++i) {
    ASSERT_TRUE(second.requests.push({}));
  }
  Client& guest = client(0);
  const Packets initiation = data_of(guest, 1);
  Train train;
  train.source = guest.endpoint;
  EXPECT_EQ(other.pass(initiation.front(), train), Drop::queue_full);
  one.remember(guest.endpoint);
  EXPECT_EQ(other.pass(initiation.front(), train), std::nullopt);
}

}  // namespace
}  // namespace tw::lane
