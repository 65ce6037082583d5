// A PoP that dies with legs in use, or only seems to: two relays, or three, in namespaces.
#include <gtest/gtest.h>

#include "test_relays.h"

namespace tw::relay {
namespace {

constexpr const char* target = "192.0.2.80:8080";

// Both families of the overlay.
class DeadPopTest : public TwoRelaysTest, public testing::WithParamInterface<bool> {
 protected:
  static RelaySettings first_settings() {
    RelaySettings settings = settings_of_first();
    if (GetParam()) settings.pops[0].overlay_address = ip("fd77::2");
    return settings;
  }
  static RelaySettings last_settings() {
    RelaySettings settings = settings_of_last();
    if (GetParam()) settings.pops[0].overlay_address = ip("fd77::1");
    return settings;
  }
  struct Talk {
    UniqueFd client, server;
  };
  // A connection that is in use.
  Talk talk(const UniqueFd& listener) {
    Talk made{.client = connect_from(network->client, target), .server = accept_at(listener)};
    put(made.server.get(), "begun");
    EXPECT_TRUE(until([&] { return get(made.client.get()).bytes == "begun"; }));
    return made;
  }
  // As a pulled cable, or a process that is gone with its tunnel: nothing comes and nothing goes.
  static void cut(const Machine& pop) {
    pop.enter();
    ASSERT_TRUE(run_words({"nft",
                           "table inet cut { chain in { type filter hook input priority 0;"
                           " iifname tun0 drop; }; chain out { type filter hook output priority 0;"
                           " oifname tun0 drop; }; }"}));
  }
  static void mend(const Machine& pop) {
    pop.enter();
    ASSERT_TRUE(run("nft delete table inet cut"));
  }
  // Seconds of the relays' clock, each with time enough for what it brings about.
  void pass(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      jump += 1s;
      const Instant end = clock.now() + 50ms;
      until([&] { return clock.now() >= end; });
    }
  }
  int end_now(const UniqueFd& socket) {
    Got got;
    do got = get(socket.get());
    while (got.end < 0 && !got.bytes.empty());
    return got.end;
  }
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, DeadPopTest, testing::Bool());

TEST_P(DeadPopTest, ARestartedPopsLegsAreResetAtOnceWhateverTheyWaitFor) {
  start(first_settings(), last_settings());
  const UniqueFd listener = listen_at(target);
  const Talk download = talk(listener), upload = talk(listener), idle = talk(listener),
             half_closed = talk(listener);
  ::shutdown(half_closed.client.get(), SHUT_WR);
  EXPECT_EQ(end_of(half_closed.server), 0);
  cut(network->last);
  relay_last.reset();
  put(upload.client.get(), noise(50'000, 1));
  pass(3);
  for (const Talk* const of : {&download, &upload, &idle, &half_closed}) {
    EXPECT_EQ(end_now(of->client), -1);
  }
  restart_last(last_settings());
  mend(network->last);
  pass(3);
  EXPECT_EQ(end_now(download.client), ECONNRESET);
  EXPECT_EQ(end_now(upload.client), ECONNRESET);
  EXPECT_EQ(end_now(idle.client), ECONNRESET);
  // Its kernel asks a second after the last word, and that is a real one.
  EXPECT_EQ(end_of(half_closed.client), ECONNRESET);
  EXPECT_EQ(count(*relay_first, Outcome::reset), 4U);
  const Talk next = talk(listener);
  send_and_end(next.server, next.client, "served as ever");
}

// The far side as well: a server does not go on for a PoP that has forgotten its clients.
TEST_P(DeadPopTest, ARestartedFirstPopsServersAreReset) {
  start(first_settings(), last_settings());
  const UniqueFd listener = listen_at(target);
  const Talk one = talk(listener), other = talk(listener);
  cut(network->first);
  relay_first.reset();
  pass(3);
  network->first.enter();
  relay_first = Relay::create(first_settings()).value();
  mend(network->first);
  pass(3);
  EXPECT_EQ(end_now(one.server), ECONNRESET);
  EXPECT_EQ(end_now(other.server), ECONNRESET);
}

TEST_P(DeadPopTest, AFlappingRouteAndAPausedReaderResetNothing) {
  start(first_settings(), last_settings());
  const UniqueFd listener = listen_at(target);
  const Talk idle = talk(listener), upload = talk(listener), paused = talk(listener);
  const std::string much = noise(8 << 20, 2);
  std::size_t offset = 0;
  const auto fill = [&] {
    const auto count =
        ::send(paused.server.get(), much.data() + offset, much.size() - offset, MSG_NOSIGNAL);
    if (count > 0) offset += static_cast<std::size_t>(count);
  };
  for (int i = 0; i < 20; ++i) {
    fill();
    pass(1);
  }
  cut(network->last);
  put(upload.client.get(), "sent into the dark");
  pass(5);
  mend(network->last);
  pass(40);
  EXPECT_TRUE(until([&] { return get(upload.server.get()).bytes == "sent into the dark"; }));
  EXPECT_EQ(relay_first->snapshot().active, 3U);
  EXPECT_EQ(relay_last->snapshot().active, 3U);
  std::size_t read = 0;
  EXPECT_TRUE(until([&] {
    fill();
    read += get(paused.client.get(), 1 << 20).bytes.size();
    return read == much.size();
  }));
  send_and_end(idle.server, idle.client, "still there");
}

TEST_P(DeadPopTest, ADeadPopsClientsAreResetWithinTheConnectTimeout) {
  start(first_settings(), last_settings());
  const UniqueFd listener = listen_at(target);
  const Talk download = talk(listener), upload = talk(listener);
  const UniqueFd elsewhere = listen_at("203.0.113.80:8080");
  const UniqueFd direct = connect_from(network->client, "203.0.113.80:8080");
  const UniqueFd direct_server = accept_at(elsewhere);
  cut(network->last);
  put(upload.client.get(), "sent into the dark");
  pass(7);
  EXPECT_EQ(end_now(download.client), -1);
  pass(3);
  EXPECT_EQ(end_now(download.client), ECONNRESET);
  EXPECT_EQ(end_now(upload.client), ECONNRESET);
  EXPECT_EQ(count(*relay_first, Outcome::reset), 2U);
  send_and_end(direct_server, direct, "nobody else's");
}

// first ──▶ third ──▶ last: both PoPs of one connection are silent at once, and it ends once.
TEST_P(DeadPopTest, APopThatIsCutOffFromBothItsNeighboursEndsWhatWentBetweenThem) {
  RelaySettings first = first_settings(), third = settings_of_third(), last = last_settings();
  const bool v6 = GetParam();
  first.pops = {{.name = "third",
                 .overlay_address = ip(v6 ? "fd77::3" : "10.77.0.3"),
                 .routes = {net("192.0.2.0/24")}}};
  last.pops = {
      {.name = "third", .overlay_address = ip(v6 ? "fd77::3" : "10.77.0.3"), .routes = {}}};
  if (v6) {
    third.leg_addresses = {ip("fd77::3")};
    third.pops[0].overlay_address = ip("fd77::1");
    third.pops[1].overlay_address = ip("fd77::2");
  }
  third.pops[1].routes = {net("192.0.2.0/24")};
  start(first, last);
  start_third(third);
  const UniqueFd listener = listen_at(target);
  const Talk one = talk(listener), other = talk(listener);
  EXPECT_EQ(relay_third->snapshot().active, 2U);
  cut(network->third);
  pass(12);
  EXPECT_EQ(relay_third->snapshot().active, 0U);
  EXPECT_EQ(count(*relay_third, Outcome::reset), 2U);
  EXPECT_EQ(end_now(one.client), ECONNRESET);
  EXPECT_EQ(end_now(other.server), ECONNRESET);
}

// A server resets connections all day: that says nothing of its PoP, and nobody else pays for it.
TEST_P(DeadPopTest, AServersResetsAreItsOwn) {
  start(first_settings(), last_settings());
  const UniqueFd listener = listen_at(target);
  const Talk stays = talk(listener);
  for (int i = 0; i < 3; ++i) {
    Talk goes = talk(listener);
    pass(2);
    goes.server.reset();  // lingers: a reset
    EXPECT_EQ(end_of(goes.client), ECONNRESET);
  }
  pass(5);
  send_and_end(stays.server, stays.client, "still there");
}

}  // namespace
}  // namespace tw::relay
