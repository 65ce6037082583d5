// Warm legs between two relays in namespaces. Needs root, and skips without it.
#include <gtest/gtest.h>

#include "test_relays.h"

namespace tw::relay {
namespace {

constexpr const char* target = "192.0.2.80:8080";

class WarmLegsTest : public TwoRelaysTest {
 protected:
  static RelaySettings with_pool() {
    RelaySettings settings = settings_of_first();
    settings.pool.enabled = true;
    return settings;
  }
  LegSourceState warm() const { return relay_first->snapshot().pops.at(0).warm; }
  bool until_warm(std::size_t legs) {
    return until([&] { return warm().idle >= legs; });
  }
};

TEST_F(WarmLegsTest, AClientGetsAWarmOneAndItIsReplaced) {
  start(with_pool(), settings_of_last());
  const std::size_t low = PoolSettings{}.low;
  ASSERT_TRUE(until_warm(low));
  EXPECT_EQ(relay_last->snapshot().accepted_legs, low);
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, target);
  const UniqueFd server = accept_at(listener);
  EXPECT_EQ(warm().hits, 1U);
  EXPECT_EQ(warm().misses, 0U);
  send_and_end(client, server, noise(1'000'000, 1));
  send_and_end(server, client, noise(1'000'000, 2));
  ASSERT_TRUE(until_warm(low));
  EXPECT_EQ(relay_first->snapshot().pops.at(0).legs_opened, 1U);
  EXPECT_EQ(count(*relay_last, Outcome::closed), 1U);
}

// The times of a connection begin with it, and not with the leg that had waited for it.
TEST_F(WarmLegsTest, TimesAreKeptByWayAndStage) {
  start(with_pool(), settings_of_last());
  ASSERT_TRUE(until_warm(PoolSettings{}.low));
  jump = 1min;
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, target);
  const UniqueFd server = accept_at(listener);
  send_and_end(client, server, "question");
  send_and_end(server, client, "answer");
  ASSERT_TRUE(both_idle());
  const StageTimes first = relay_first->snapshot().stages;
  const StageTimes last = relay_last->snapshot().stages;
  for (const Stage stage : {Stage::connect, Stage::request, Stage::first_byte, Stage::end}) {
    EXPECT_EQ(first.of(Via::warm_leg, stage).count(), 1U) << static_cast<int>(stage);
    EXPECT_EQ(first.of(Via::fresh_leg, stage).count(), 0U) << static_cast<int>(stage);
    EXPECT_EQ(last.of(Via::for_pop, stage).count(), 1U) << static_cast<int>(stage);
    EXPECT_LT(last.of(Via::for_pop, stage).max(), 1min) << static_cast<int>(stage);
    EXPECT_EQ(last.of(Via::direct, stage).count(), 0U) << static_cast<int>(stage);
  }
  EXPECT_EQ(first.of(Via::warm_leg, Stage::claim).count(), 0U) << "its SYN was not seen";
}

// A server that speaks first: the header must not wait for the client's bytes.
TEST_F(WarmLegsTest, TheHeaderLeavesWithoutDataOfTheClient) {
  start(with_pool(), settings_of_last());
  ASSERT_TRUE(until_warm(1));
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, target);
  const UniqueFd server = accept_at(listener);
  ASSERT_TRUE(server);
  put(server.get(), "220 ready");
  EXPECT_TRUE(until([&] { return get(client.get()).bytes == "220 ready"; }));
}

// The other PoP has restarted: nobody behind this one notices.
TEST_F(WarmLegsTest, LegsThatDiedAreReplacedUnseen) {
  start(with_pool(), settings_of_last());
  ASSERT_TRUE(until_warm(PoolSettings{}.low));
  restart_last(settings_of_last());
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, target);
  const UniqueFd server = accept_at(listener);
  ASSERT_TRUE(server);
  send_and_end(client, server, "question");
  send_and_end(server, client, "answer");
  EXPECT_TRUE(until([&] { return warm().died >= PoolSettings{}.low; }));
  ASSERT_TRUE(until_warm(PoolSettings{}.low));
}

TEST_F(WarmLegsTest, APopThatIsGoneCostsNothingButItsConnections) {
  start(with_pool(), settings_of_last());
  ASSERT_TRUE(until_warm(1));
  relay_last.reset();
  const UniqueFd client = connect_from(network->client, target);
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_TRUE(until([&] { return warm().failures_in_row > 0; }));
}

TEST_F(WarmLegsTest, DrainingClosesThemInOrder) {
  start(with_pool(), settings_of_last());
  ASSERT_TRUE(until_warm(PoolSettings{}.low));
  relay_first->drain(now());
  ASSERT_TRUE(until([&] { return relay_last->snapshot().active == 0; }));
  EXPECT_EQ(count(*relay_last, Outcome::closed), PoolSettings{}.low);
  EXPECT_EQ(warm().idle, 0U);
}

TEST_F(WarmLegsTest, SwitchedOffAtRunTimeTheyGo) {
  start(with_pool(), settings_of_last());
  ASSERT_TRUE(until_warm(PoolSettings{}.low));
  network->first.enter();
  relay_first->apply(settings_of_first());
  ASSERT_TRUE(until([&] { return warm().idle == 0; }));
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, target);
  ASSERT_TRUE(accept_at(listener));
  EXPECT_EQ(warm().hits, 0U);
}

// A PoP that is sent no connections needs no legs.
TEST_F(WarmLegsTest, APopWithoutRoutesGetsNone) {
  RelaySettings last = settings_of_last();
  last.pool.enabled = true;
  start(settings_of_first(), last);
  for (int turns = 0; turns < 50; ++turns) turn();
  EXPECT_EQ(relay_first->snapshot().accepted_legs, 0U);
}

}  // namespace
}  // namespace tw::relay
