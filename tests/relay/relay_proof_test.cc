// A leg's owner is proven and not read off its address: two relays in namespaces, and whoever else
// is on their machines. Needs root, and skips without it.
#include <gtest/gtest.h>
#include <poll.h>

#include "relay/legs/leg_header.h"
#include "relay/sockets/sockets.h"
#include "test_relays.h"

namespace tw::relay {
namespace {

constexpr const char* target = "192.0.2.80:8080";
constexpr const char* target_v6 = "[2001:db8:2::80]:8080";

class RelayProofTest : public TwoRelaysTest {
 protected:
  static RelaySettings proven(RelaySettings settings, std::uint8_t key = 7) {
    for (PopSettings& pop : settings.pops) {
      pop.legs = Legs::authenticated;
      pop.key = test_key(key);
    }
    return settings;
  }
  static RelaySettings with_pool(RelaySettings settings) {
    settings.pool.enabled = true;
    return settings;
  }
  // The PoPs know each other by IPv6.
  static RelaySettings by_v6(RelaySettings settings, const char* other) {
    settings.pops.at(0).overlay_address = ip(other);
    return settings;
  }
  static LegProofCounters proof_of(const Relay& relay) { return relay.snapshot().pops.at(0).proof; }
  static std::uint64_t refused(const Relay& relay, LegFault fault) {
    return proof_of(relay).refused[std::to_underlying(fault)];
  }
  bool until_warm(std::size_t legs = PoolSettings{}.low) {
    return until([&] { return relay_first->snapshot().pops.at(0).warm.idle >= legs; });
  }
  bool exchange(const char* where = target) {
    const UniqueFd listener = listen_at(where);
    const UniqueFd client = connect_from(network->client, where);
    const UniqueFd server = accept_at(listener);
    if (!server) return false;
    send_and_end(client, server, "question");
    send_and_end(server, client, "answer");
    return !testing::Test::HasFailure();
  }

  // A local user's leg, from the first PoP's own address.
  UniqueFd forge(const char* from, const char* to) {
    network->first.enter();
    auto socket = open_onward({.target = at(to), .device = "tun0", .source = at(from)});
    EXPECT_TRUE(socket) << socket.error().text();
    EXPECT_NE(wait_for(socket->get(), POLLOUT), 0);
    return *std::move(socket);
  }
  // A header of the first PoP's, sealed as it would: with the acceptor's name, which a hello tells.
  std::string sealed_header(const crypto::MacKey& key, const LegEnds& ends) {
    UniqueFd other = forge("10.77.0.1:0", "10.77.0.2:9702");
    const LegEnds its_ends = ends_of_connected(other.get()).value();
    std::array<std::uint8_t, hello_size> hello = blank_hello();
    const crypto::Mac said = seal_header(
        hello, {.kind = HeaderProof::Kind::hello, .nonce = 5 + nonces++}, key, its_ends);
    put(other.get(), as_text(hello));
    AnswerProofReader reader;
    EXPECT_TRUE(
        until([&] { return reader.read(other.get()) == AnswerProofReader::State::complete; }));
    const auto answer = read_answer(reader.bytes, key, its_ends, said);
    EXPECT_TRUE(answer);
    std::string header = header_for("10.77.0.100:4000", target, blank_proof());
    seal_header({reinterpret_cast<std::uint8_t*>(header.data()), header.size()},
                {.acceptor = answer->acceptor, .time_ns = answer->time_ns, .nonce = 99}, key, ends);
    return header;
  }
  static std::string header_for(const char* client, const char* where, ByteView tlvs = {}) {
    std::array<std::uint8_t, proxy_max_size> bytes;
    const std::size_t size =
        write_proxy_header({.source = at(client), .target = at(where)}, bytes, tlvs);
    return std::string{as_text(ByteView{bytes}.first(size))};
  }

  std::uint64_t nonces = 0;
};

TEST_F(RelayProofTest, ALocalUserIsNotServedAsHisPop) {
  start(proven(settings_of_first()), proven(settings_of_last()));
  const UniqueFd leg = forge("10.77.0.1:0", "10.77.0.2:9702");
  put(leg.get(), header_for("10.77.0.100:4000", target) + "GET / HTTP/1.0");
  EXPECT_EQ(end_of(leg), ECONNRESET);
  EXPECT_EQ(count(*relay_last, Outcome::refused_proof), 1U);
  EXPECT_EQ(refused(*relay_last, LegFault::missing), 1U);
  EXPECT_EQ(proof_of(*relay_last).from_authenticated, false);
  EXPECT_EQ(count(*relay_last, Outcome::closed), 0U);
}

TEST_F(RelayProofTest, NorWithAProofOfHisOwn) {
  start(proven(settings_of_first()), proven(settings_of_last()));
  for (const bool hello : {false, true}) {
    const UniqueFd leg = forge("10.77.0.1:0", "10.77.0.2:9702");
    const crypto::MacKey key{test_key(8)};
    const LegEnds ends = ends_of_connected(leg.get()).value();
    const ProofTlv blank = blank_proof();
    std::string header = header_for("10.77.0.100:4000", target, blank);
    if (hello) header = as_text(blank_hello());
    HeaderProof proof{.kind = hello ? HeaderProof::Kind::hello : HeaderProof::Kind::fresh};
    seal_header({reinterpret_cast<std::uint8_t*>(header.data()), header.size()}, proof, key, ends);
    put(leg.get(), header);
    std::string said;
    EXPECT_EQ(end_of(leg, &said), ECONNRESET);
    EXPECT_EQ(said, "");
  }
  EXPECT_EQ(refused(*relay_last, LegFault::wrong), 2U);
}

// A place that nobody may have for nothing.
TEST_F(RelayProofTest, ALegThatProvesNothingDoesNotWait) {
  start(proven(settings_of_first()), proven(settings_of_last()));
  const UniqueFd leg = forge("10.77.0.1:0", "10.77.0.2:9702");
  ASSERT_TRUE(until([&] { return relay_last->snapshot().waiting_legs == 2; }));  // and the probe
  ASSERT_TRUE(until([&] { return count(*relay_last, Outcome::closed) == 1; }));
  jump = RelayLimits{}.connect_timeout + 1s;
  EXPECT_EQ(end_of(leg), ECONNRESET);
  EXPECT_EQ(refused(*relay_last, LegFault::missing), 1U);
  EXPECT_EQ(count(*relay_last, Outcome::refused_proof), 1U);
}

TEST_F(RelayProofTest, ThePopItselfIsServedInBothFamilies) {
  for (const bool v6 : {false, true}) {
    RelaySettings first = proven(settings_of_first()), last = proven(settings_of_last());
    if (v6) first = by_v6(std::move(first), "fd77::2");
    if (v6) last = by_v6(std::move(last), "fd77::1");
    start(std::move(first), std::move(last));
    EXPECT_TRUE(exchange(target));
    EXPECT_TRUE(exchange(target_v6));
    EXPECT_EQ(proof_of(*relay_last).from_authenticated, true);
    EXPECT_EQ(proof_of(*relay_first).to_authenticated, true);
    EXPECT_EQ(count(*relay_last, Outcome::refused_proof), 0U);
    relay_first.reset();
  }
}

// A target that refuses, and one that the last PoP's policy refuses, are answers of the PoP itself:
// it proves who it is before it resets the leg.
TEST_F(RelayProofTest, ARefusalIsProvenToo) {
  for (const bool pool : {false, true}) {
    RelaySettings first = proven(settings_of_first());
    first.pool.enabled = pool;
    start(first, proven(settings_of_last()));
    if (pool) {
      ASSERT_TRUE(until_warm());
    }
    EXPECT_TRUE(exchange());
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(end_of(connect_from(network->client, "192.0.2.80:8081")), ECONNRESET);  // nobody
      EXPECT_EQ(end_of(connect_from(network->client, "192.0.2.80:22")), ECONNRESET);  // the policy
    }
    EXPECT_EQ(count(*relay_first, Outcome::refused_proof), 0U) << "pool: " << pool;
    EXPECT_EQ(count(*relay_first, Outcome::reset), 16U) << "pool: " << pool;
    EXPECT_EQ(proof_of(*relay_first).to_authenticated, true);
    relay_first.reset();
  }
}

TEST_F(RelayProofTest, WarmLegsAreProvenByBothSides) {
  start(with_pool(proven(settings_of_first())), proven(settings_of_last()));
  ASSERT_TRUE(until_warm());
  EXPECT_EQ(proof_of(*relay_first).to_authenticated, true);
  EXPECT_EQ(proof_of(*relay_last).from_authenticated, true);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(exchange());
  EXPECT_GE(relay_first->snapshot().pops.at(0).warm.hits, 4U);
  EXPECT_EQ(count(*relay_last, Outcome::refused_proof), 0U);
}

// Whoever has the leg port while the PoP's relay does not: a user of that machine.
TEST_F(RelayProofTest, WhoeverElseAnswersGetsNoLegsAndNoRequest) {
  RelaySettings first = with_pool(proven(settings_of_first()));
  first.direct = DirectWay::never;
  start(std::move(first), proven(settings_of_last()));
  ASSERT_TRUE(until_warm());
  relay_last.reset();
  network->last.enter();
  const UniqueFd impostor = open_listener({.address = at("10.77.0.2:9702")}).value();
  jump += 20s;  // whatever pause there is
  const UniqueFd client = connect_from(network->client, target);
  put(client.get(), "a secret question");
  std::vector<UniqueFd> taken;
  std::string heard;
  until([&] {
    for (;;) {
      UniqueFd leg{::accept4(impostor.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (!leg) break;
      put(leg.get(), std::string(1, leg_answer_connected) + "a forged answer that is long enough");
      taken.push_back(std::move(leg));
    }
    for (const UniqueFd& leg : taken) heard += get(leg.get()).bytes;
    return taken.size() >= 2 && get(client.get()).end > 0;
  });
  EXPECT_EQ(heard.find("secret"), std::string::npos);
  EXPECT_EQ(heard.find("PROXY"), std::string::npos);
  EXPECT_EQ(relay_first->snapshot().pops.at(0).warm.idle, 0U);
  EXPECT_EQ(proof_of(*relay_first).to_authenticated, false);
}

// Recorded on the wire, and sent again from the same port when that is free.
TEST_F(RelayProofTest, AHeaderIsServedOnce) {
  start(proven(settings_of_first()), proven(settings_of_last()));
  ASSERT_TRUE(exchange());  // the probe is through
  const crypto::MacKey key{test_key()};
  std::string recorded;
  std::uint16_t port = 0;
  for (const bool again : {false, true}) {
    const std::string from = "10.77.0.1:" + std::to_string(port);
    UniqueFd leg = forge(from.c_str(), "10.77.0.2:9702");
    const LegEnds ends = ends_of_connected(leg.get()).value();
    port = ends.connector.port;
    if (!again) recorded = sealed_header(key, ends);
    put(leg.get(), recorded);
    if (again) {
      EXPECT_EQ(end_of(leg), ECONNRESET);
      EXPECT_EQ(refused(*relay_last, LegFault::replayed), 1U);
      break;
    }
    const UniqueFd listener = listen_at(target);
    ASSERT_TRUE(accept_at(listener));
    leg.reset();
    ASSERT_TRUE(both_idle());
  }
  // From another port it is nothing at all.
  const UniqueFd leg = forge("10.77.0.1:0", "10.77.0.2:9702");
  put(leg.get(), recorded);
  EXPECT_EQ(end_of(leg), ECONNRESET);
  EXPECT_EQ(refused(*relay_last, LegFault::wrong), 1U);
}

TEST_F(RelayProofTest, AHeaderDiesWithTheAcceptorItWasMadeFor) {
  start(proven(settings_of_first()), proven(settings_of_last()));
  ASSERT_TRUE(exchange());
  const crypto::MacKey key{test_key()};
  UniqueFd leg = forge("10.77.0.1:0", "10.77.0.2:9702");
  const LegEnds ends = ends_of_connected(leg.get()).value();
  const std::string recorded = sealed_header(key, ends);
  leg.reset();
  restart_last(proven(settings_of_last()));
  const std::string from = "10.77.0.1:" + std::to_string(ends.connector.port);
  leg = forge(from.c_str(), "10.77.0.2:9702");
  put(leg.get(), recorded);
  EXPECT_EQ(end_of(leg), ECONNRESET);
  EXPECT_EQ(refused(*relay_last, LegFault::restarted), 1U);
  EXPECT_TRUE(exchange()) << "the PoP itself is told, and goes on";
  EXPECT_EQ(refused(*relay_last, LegFault::restarted), 2U);
}

// A clock that jumps at one of the two, as after a suspend: the leg that meets it is made again.
TEST_F(RelayProofTest, AClockThatHasJumpedCostsASecondLegAndNothingElse) {
  start(proven(settings_of_first()), proven(settings_of_last()));
  ASSERT_TRUE(exchange());
  for (const Duration step : {Duration{10min}, Duration{-20min}}) {
    ahead_of_last += step;
    EXPECT_TRUE(exchange());
  }
  EXPECT_EQ(refused(*relay_last, LegFault::untimely), 2U);
}

TEST_F(RelayProofTest, ANewKeyEndsWhatWaits) {
  start(with_pool(proven(settings_of_first())), proven(settings_of_last()));
  ASSERT_TRUE(until_warm());
  const std::uint64_t before = relay_first->snapshot().pops.at(0).warm.opened;
  network->last.enter();
  relay_last->apply(proven(settings_of_last(), 9));
  EXPECT_EQ(relay_last->snapshot().waiting_legs, 0U);
  network->first.enter();
  relay_first->apply(with_pool(proven(settings_of_first(), 9)));
  ASSERT_TRUE(until([&] {
    const LegSourceState warm = relay_first->snapshot().pops.at(0).warm;
    return warm.opened >= before + PoolSettings{}.low && warm.idle >= PoolSettings{}.low;
  }));
  EXPECT_TRUE(exchange());
  // One side alone gets a new key: nothing goes.
  network->last.enter();
  relay_last->apply(proven(settings_of_last(), 7));
  const UniqueFd client = connect_from(network->client, target);
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_GE(refused(*relay_last, LegFault::wrong), 1U);
}

TEST_F(RelayProofTest, WithoutAKeyNothingIsServedOrMade) {
  const auto keyless = [](RelaySettings settings) {
    settings = proven(std::move(settings));
    settings.pops[0].key.reset();
    return settings;
  };
  start(with_pool(proven(settings_of_first())), proven(settings_of_last()));
  ASSERT_TRUE(until_warm());
  network->first.enter();
  relay_first->apply(with_pool(keyless(settings_of_first())));
  const std::uint64_t before = relay_last->snapshot().accepted_legs;
  UniqueFd client = connect_from(network->client, target);
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_EQ(relay_last->snapshot().accepted_legs, before);
  EXPECT_EQ(relay_first->snapshot().pops.at(0).warm.idle, 0U);

  network->last.enter();
  relay_last->apply(keyless(settings_of_last()));
  network->first.enter();
  relay_first->apply(proven(settings_of_first()));
  client = connect_from(network->client, target);
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_GE(refused(*relay_last, LegFault::no_key), 1U);
}

// While the PoPs are upgraded one by one.
TEST_F(RelayProofTest, AnyServesWhoProvesNothingAndSaysSo) {
  RelaySettings last = proven(settings_of_last());
  last.pops[0].legs = Legs::any;
  start(settings_of_first(), last);
  EXPECT_TRUE(exchange());
  EXPECT_EQ(proof_of(*relay_last).from_authenticated, false);
  EXPECT_EQ(proof_of(*relay_last).last_fault, LegFault::missing);
  EXPECT_EQ(count(*relay_last, Outcome::refused_proof), 0U);
  network->first.enter();
  relay_first->apply(with_pool(proven(settings_of_first())));
  ASSERT_TRUE(until_warm());
  EXPECT_TRUE(exchange());
  EXPECT_EQ(proof_of(*relay_last).from_authenticated, true);
}

// The same the other way round: an acceptor that takes a hello for a health check.
TEST_F(RelayProofTest, AnyMakesDoWithAPopThatKnowsNoHello) {
  RelaySettings first = proven(settings_of_first());
  first.pops[0].legs = Legs::any;
  for (const bool pool : {false, true}) {
    RelaySettings wanted = first;
    wanted.pool.enabled = pool;
    start(wanted, settings_of_last());
    if (pool) {
      ASSERT_TRUE(until_warm());
    }
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(exchange());
    EXPECT_EQ(proof_of(*relay_first).to_authenticated, false);
    EXPECT_EQ(count(*relay_first, Outcome::refused_proof), 0U);
    relay_first.reset();
  }
}

}  // namespace
}  // namespace tw::relay
