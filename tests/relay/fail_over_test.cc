// Several PoPs for one target: fail-over, and chains of PoPs, in namespaces. Needs root, and skips
// without it.
#include <gtest/gtest.h>

#include "test_relays.h"

namespace tw::relay {
namespace {

constexpr const char* target = "192.0.2.80:8080";

class FailOverTest : public TwoRelaysTest {
 protected:
  // The last PoP is preferred, the third stands in for it.
  static RelaySettings with_both(bool pool) {
    RelaySettings settings = settings_of_first();
    settings.pool.enabled = pool;
    settings.pops.push_back(
        {.name = "third", .overlay_address = ip("10.77.0.3"), .routes = {net("192.0.2.0/24")}});
    return settings;
  }
  void start_all(bool pool) {
    start(with_both(pool), settings_of_last());
    start_third(settings_of_third());
    if (pool) {
      ASSERT_TRUE(until([&] { return pop(0).warm.idle > 0 && pop(1).warm.idle > 0; }));
    }
  }
  // Without a word: its packets, and ours to it, go nowhere.
  void unplug_last() const {
    network->last.enter();
    ASSERT_TRUE(run("ip link set tun0 down"));
  }
  void plug_last_in() const {
    network->last.enter();
    ASSERT_TRUE(run("ip link set tun0 up"));
  }
  // Its kernel lives, and what we send it meets nobody: neither an answer nor a reset.
  void drop_legs_at_last() const {
    network->last.enter();
    ASSERT_TRUE(run("nft add table inet dead"));
    ASSERT_TRUE(run_words(
        {"nft", "add chain inet dead in { type filter hook input priority 0; policy accept; }"}));
    ASSERT_TRUE(run_words({"nft", "add rule inet dead in tcp dport 9702 drop"}));
  }
  void take_legs_at_last() const {
    network->last.enter();
    ASSERT_TRUE(run("nft delete table inet dead"));
  }
  PopCounters pop(std::size_t index) const { return relay_first->snapshot().pops.at(index); }
  // A question and its answer, by whichever PoP.
  void talk(const UniqueFd& listener) {
    const UniqueFd client = connect_from(network->client, target);
    send_when_connected(client, "question");
    const UniqueFd server = accept_at(listener);
    ASSERT_TRUE(server);
    EXPECT_TRUE(until([&] { return get(server.get()).bytes == "question"; }));
    send_and_end(server, client, "answer");
  }
  void send_when_connected(const UniqueFd& client, std::string_view text) {
    ASSERT_TRUE(until([&] { return wait_for(client.get(), POLLOUT, 0) != 0; }));
    put(client.get(), text);
  }
};

TEST_F(FailOverTest, ThePreferredPopIsUsedWhileItLives) {
  start_all(/*pool=*/true);
  const UniqueFd listener = listen_at(target);
  talk(listener);
  EXPECT_EQ(pop(0).legs_opened, 1U);
  EXPECT_EQ(pop(1).legs_opened, 0U);
  EXPECT_TRUE(pop(0).usable);
}

// Its client has asked already, and notices nothing; those who come next do not even wait.
TEST_F(FailOverTest, ASilentPopIsLeftWithTheQuestionInHand) {
  start_all(/*pool=*/true);
  const UniqueFd listener = listen_at(target);
  unplug_last();
  talk(listener);
  EXPECT_EQ(pop(0).silent, 1U);
  EXPECT_EQ(pop(0).left, 1U);
  EXPECT_FALSE(pop(0).usable);
  talk(listener);
  EXPECT_EQ(pop(0).silent, 1U) << "the second did not try it";
  EXPECT_EQ(pop(1).legs_opened, 2U);
}

TEST_F(FailOverTest, ItIsUsedAgainWhenItIsBack) {
  start_all(/*pool=*/true);
  const UniqueFd listener = listen_at(target);
  unplug_last();
  talk(listener);
  ASSERT_FALSE(pop(0).usable);
  plug_last_in();
  ASSERT_TRUE(until([&] { return pop(0).usable; }));
  ASSERT_TRUE(until([&] { return pop(0).warm.idle > 0; }));
  const std::uint64_t before = pop(0).legs_opened;
  talk(listener);
  EXPECT_EQ(pop(0).legs_opened, before + 1);
}

TEST_F(FailOverTest, WithoutAPoolAsWell) {
  start_all(/*pool=*/false);
  const UniqueFd listener = listen_at(target);
  unplug_last();
  talk(listener);
  EXPECT_EQ(pop(0).left, 1U);
}

// Nobody listens there: the kernel says so, and nobody waits.
TEST_F(FailOverTest, ARefusingPopIsLeftAtOnce) {
  start_all(/*pool=*/false);
  relay_last.reset();
  const UniqueFd listener = listen_at(target);
  talk(listener);
  EXPECT_EQ(pop(0).left, 1U);
  EXPECT_EQ(pop(0).silent, 0U);
  EXPECT_FALSE(pop(0).usable);
}

// A PoP's refusal is its answer: nobody goes round it.
TEST_F(FailOverTest, ARefusedTargetIsNotTriedElsewhere) {
  start_all(/*pool=*/true);
  const UniqueFd client = connect_from(network->client, target);  // nobody listens
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_EQ(relay_third->snapshot().outcomes[std::to_underlying(Outcome::connect_failed)], 0U);
  EXPECT_TRUE(pop(0).usable);
}

TEST_F(FailOverTest, WithNoOtherWayTheClientWaitsForThePop) {
  RelaySettings only = settings_of_first();
  only.pool.enabled = true;
  start(only, settings_of_last());
  ASSERT_TRUE(until([&] { return pop(0).warm.idle > 0; }));
  const UniqueFd listener = listen_at(target);
  unplug_last();
  const UniqueFd client = connect_from(network->client, target);
  send_when_connected(client, "question");
  ASSERT_TRUE(until([&] { return pop(0).silent == 1; }));
  EXPECT_FALSE(pop(0).usable);
  plug_last_in();
  const UniqueFd server = accept_at(listener);
  ASSERT_TRUE(server);
  send_and_end(server, client, "answer");
}

// No warm leg, and connects that nobody answers; a warm leg whose PoP dies before it hears of the
// client. In either case, and by either family: who has no other way is reset when its time is up.
TEST_F(FailOverTest, WithNoOtherWayTheClientIsResetInTime) {
  for (const char* overlay : {"10.77.0.2", "fd77::2"}) {
    for (const bool pool : {false, true}) {
      RelaySettings only = settings_of_first();
      only.pool.enabled = pool;
      only.pops[0].overlay_address = ip(overlay);
      RelaySettings last = settings_of_last();
      if (!ip(overlay).is_v4()) last.pops[0].overlay_address = ip("fd77::1");
      start(only, last);
      if (pool) {
        ASSERT_TRUE(until([&] { return pop(0).warm.idle > 0; }));
      }
      drop_legs_at_last();
      const UniqueFd client = connect_from(network->client, target);
      send_when_connected(client, "question");
      ASSERT_TRUE(until([&] { return pop(0).silent == 1; }));
      jump += only.limits.connect_timeout - 2s;
      turn();
      EXPECT_EQ(get(client.get()).end, -1);
      jump += 2s;
      EXPECT_EQ(end_of(client), ECONNRESET) << overlay << ' ' << pool;
      EXPECT_EQ(count(*relay_first, Outcome::connect_failed), 1U);
      take_legs_at_last();
      relay_first.reset();
    }
  }
}

// The time is one for all the ways that are tried.
TEST_F(FailOverTest, TryingOtherPopsTakesNoMoreTime) {
  start_all(/*pool=*/false);
  drop_legs_at_last();
  network->third.enter();
  ASSERT_TRUE(run("nft add table inet dead"));
  ASSERT_TRUE(run_words(
      {"nft", "add chain inet dead in { type filter hook input priority 0; policy drop; }"}));
  const Instant begun = now();
  const UniqueFd client = connect_from(network->client, target);
  send_when_connected(client, "question");
  ASSERT_TRUE(until([&] { return pop(0).silent == 1 && pop(1).silent == 1; }));
  jump += begun + RelayLimits{}.connect_timeout - now();
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_LT(now() - begun, RelayLimits{}.connect_timeout + 500ms);
}

// It had heard the client, and died when its time was nearly up: that is another rule's.
TEST_F(FailOverTest, APopThatHasHeardTheClientHasItsServersTime) {
  start_all(/*pool=*/true);
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, target);
  send_when_connected(client, "question");
  const UniqueFd server = accept_at(listener);
  EXPECT_TRUE(until([&] { return get(server.get()).bytes == "question"; }));
  jump += 11s;
  turn();
  jump += 11s;
  turn();
  send_and_end(server, client, "a late answer");
}

TEST_F(FailOverTest, StraightToTheTargetIfThatIsAllowed) {
  RelaySettings only = settings_of_first();
  only.direct = DirectWay::fallback;
  only.pops[0].routes.push_back(net("203.0.113.0/24"));
  start(only, settings_of_last());
  const UniqueFd listener = listen_at("203.0.113.80:8080");
  unplug_last();
  const UniqueFd client = connect_from(network->client, "203.0.113.80:8080");
  send_when_connected(client, "question");
  const UniqueFd server = accept_at(listener);
  ASSERT_TRUE(server);
  EXPECT_TRUE(until([&] { return get(server.get()).bytes == "question"; }));
  EXPECT_EQ(pop(0).left, 1U);
}

// The PoP is silent, and then no PoP any more: the direct way is another one than by it.
TEST_F(FailOverTest, DirectlyOnceTheSettingsHaveThePopNoMore) {
  RelaySettings with = settings_of_first();
  with.pops[0].routes.push_back(net("203.0.113.0/24"));
  start(with, settings_of_last());
  const UniqueFd listener = listen_at("203.0.113.80:8080");
  unplug_last();
  const UniqueFd client = connect_from(network->client, "203.0.113.80:8080");
  send_when_connected(client, "question");
  ASSERT_TRUE(until([&] { return relay_first->snapshot().active == 1; }));
  RelaySettings without = without_proof(with);
  without.pops.clear();
  network->first.enter();
  EXPECT_EQ(relay_first->apply(without), 0U);
  const UniqueFd server = accept_at(listener);
  ASSERT_TRUE(server);
  EXPECT_TRUE(until([&] { return get(server.get()).bytes == "question"; }));
}

// The server is next door, and what the PoP sends comes late: the first connection goes by the PoP,
// and finds that out for those that come after it.
TEST_F(FailOverTest, DirectlyWhereThatIsMeasuredToBeShorter) {
  network->last.enter();
  ASSERT_TRUE(run("tc qdisc add dev tun0 root tbf rate 64kbit burst 100 latency 2s"));
  RelaySettings only = settings_of_first();
  only.direct = DirectWay::measured;
  only.pool.enabled = true;
  only.pops[0].routes = {net("203.0.113.0/24")};
  start(only, settings_of_last());
  ASSERT_TRUE(until([&] { return pop(0).warm.idle >= PoolSettings{}.low; }));
  const UniqueFd listener = listen_at("203.0.113.80:8080");
  const UniqueFd first = connect_from(network->client, "203.0.113.80:8080");
  const UniqueFd probe = accept_at(listener);  // the last PoP has no way there
  ASSERT_TRUE(probe);
  EXPECT_EQ(end_of(probe), ECONNRESET);
  EXPECT_EQ(end_of(first), ECONNRESET);
  EXPECT_EQ(pop(0).legs_opened, 1U);

  const UniqueFd second = connect_from(network->client, "203.0.113.80:8080");
  const UniqueFd server = accept_at(listener);
  ASSERT_TRUE(server);
  send_and_end(second, server, "question");
  send_and_end(server, second, "answer");
  EXPECT_EQ(pop(0).legs_opened, 1U);
  EXPECT_EQ(count(*relay_last, Outcome::connect_failed), 1U);
}

// first ──▶ third ──▶ last ──▶ server
TEST_F(FailOverTest, AChainOfThreePops) {
  RelaySettings first = settings_of_first();
  first.pops = {
      {.name = "third", .overlay_address = ip("10.77.0.3"), .routes = {net("192.0.2.0/24")}}};
  RelaySettings third = settings_of_third();
  third.pops[1].routes = {net("192.0.2.0/24")};
  RelaySettings last = settings_of_last();
  last.pops = {{.name = "third", .overlay_address = ip("10.77.0.3"), .routes = {}}};
  start(first, last);
  start_third(third);
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, target);
  const UniqueFd server = accept_at(listener);
  ASSERT_TRUE(server);
  send_and_end(client, server, noise(3'000'000, 1));
  send_and_end(server, client, noise(3'000'000, 2));
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(relay_third->snapshot().accepted_legs, 1U);
  EXPECT_EQ(relay_last->snapshot().accepted_legs, 1U);
}

// Each of the three sends it to the next: it ends, and is reset, before it has used up the PoPs.
TEST_F(FailOverTest, ACircleOfRoutesEnds) {
  const auto route = net("192.0.2.0/24");
  RelaySettings first = settings_of_first(), third = settings_of_third(), last = settings_of_last();
  first.pops = {{.name = "third", .overlay_address = ip("10.77.0.3"), .routes = {route}},
                {.name = "last", .overlay_address = ip("10.77.0.2"), .routes = {}}};
  third.pops[1].routes = {route};
  last.pops = {{.name = "first", .overlay_address = ip("10.77.0.1"), .routes = {route}},
               {.name = "third", .overlay_address = ip("10.77.0.3"), .routes = {}}};
  start(first, last);
  start_third(third);
  const UniqueFd client = connect_from(network->client, target);
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_EQ(count(*relay_first, Outcome::refused_hops) + count(*relay_last, Outcome::refused_hops) +
                count(*relay_third, Outcome::refused_hops),
            1U);
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(relay_first->snapshot().accepted_legs + relay_last->snapshot().accepted_legs +
                relay_third->snapshot().accepted_legs,
            most_hops - 1U);
}

}  // namespace
}  // namespace tw::relay
