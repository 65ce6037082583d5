// SYNs that are held until their servers have answered, through two relays in namespaces: the test
// is the lane that holds them. Needs root, and skips without it.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <vector>

#include "exec/manual_context.h"
#include "relay/legs/leg_header.h"
#include "test_relays.h"
#include "wire/message/proxy_v2.h"

namespace tw::relay {
namespace {

constexpr const char* target = "192.0.2.80:8080";
constexpr const char* silent_target = "192.0.2.99:8080";    // an address that no machine has
constexpr const char* direct_target = "203.0.113.80:8080";  // no PoP carries it
const Endpoint client_port{ip("10.77.0.100"), 40'000, 0};

class VerifiedTest : public TwoRelaysTest {
 protected:
  VerifiedTest() : syns(*SynRing::open(syn_ring_capacity)) {
    syn_source = std::make_unique<SynRingSource>(*syns);
  }

  void start_verified(RelaySettings first, RelaySettings last = settings_of_last()) {
    first.accept = Accept::verified;
    start(std::move(first), std::move(last));
    relay_first->answer_syns({&answers});
  }
  void start_verified() { start_verified(settings_of_first()); }

  void hold(std::uint32_t number, const char* to = target, std::uint32_t isn = 1) {
    ASSERT_TRUE(
        syns->push({.client = client_port, .target = at(to), .sequence = isn, .held = number}));
  }
  std::optional<SynVerdict> next_answer(std::uint32_t number) {
    SynAnswer answer;
    if (!until([&] { return answers.pop(answer); })) return std::nullopt;
    EXPECT_EQ(answer.held, number);
    return answer.verdict;
  }
  std::optional<SynVerdict> verdict_on(std::uint32_t number, const char* to = target) {
    hold(number, to);
    return next_answer(number);
  }
  bool no_answer() {
    for (int i = 0; i < 20; ++i) turn();
    return answers.empty();
  }
  UniqueFd connect_client(const char* to = target) {
    return connect_from(network->client, client_port, to);
  }
  HeldSynCounters held() const { return relay_first->snapshot().held_syns; }
  // Sends back what it gets for a server that has been told of the connection by a SYN.
  void expect_served(const UniqueFd& listener, const char* to = target) {
    const UniqueFd server = accept_at(listener);
    ASSERT_TRUE(server);
    put(server.get(), "220 ready");
    const UniqueFd client = connect_client(to);
    std::string greeting;
    EXPECT_TRUE(until([&] { return (greeting += get(client.get()).bytes).size() >= 9; }));
    EXPECT_EQ(greeting, "220 ready");
    send_and_end(client, server, noise(300'000, 1));
    send_and_end(server, client, noise(300'000, 2));
    ASSERT_TRUE(both_idle());
  }
  void expect_passed_and_served(const char* to = target) {
    const UniqueFd listener = listen_at(to);
    EXPECT_EQ(verdict_on(5, to), SynVerdict::pass);
    expect_served(listener, to);
  }

  const std::unique_ptr<SynRing> syns;
  ManualClock lane_clock;
  ManualContext lane{ContextId{0}, lane_clock};
  SynAnswers answers{lane, held_syns_max};
};

TEST_F(VerifiedTest, ASynPassesWhenTheServerHasAccepted) {
  start_verified();
  const UniqueFd listener = listen_at(target);
  EXPECT_EQ(verdict_on(5), SynVerdict::pass);
  EXPECT_LE(lane.next_deadline(), lane_clock.now()) << "the lane has been woken";
  expect_served(listener);
  EXPECT_EQ(held().held, 1U);
  EXPECT_EQ(held().passed, 1U);
  EXPECT_EQ(held().waiting, 0U);
  EXPECT_EQ(relay_first->snapshot().early_syn.claimed, 1U);
  EXPECT_EQ(relay_last->snapshot().accepted_legs, 1U);
}

TEST_F(VerifiedTest, TheSameWithoutAnotherPop) {
  start_verified();
  expect_passed_and_served(direct_target);
  EXPECT_EQ(relay_last->snapshot().accepted_legs, 0U);
}

TEST_F(VerifiedTest, ARefusedPortIsARefusedSyn) {
  start_verified();
  for (const char* to : {target, direct_target}) {
    EXPECT_EQ(verdict_on(6, to), SynVerdict::refuse);
  }
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(count(*relay_first, Outcome::connect_failed), 2U);
  EXPECT_EQ(count(*relay_last, Outcome::connect_failed), 1U);
  EXPECT_EQ(relay_first->snapshot().pops.at(0).legs_failed, 0U) << "the leg has done its work";
  EXPECT_EQ(held().refused, 2U);
  EXPECT_EQ(relay_first->snapshot().early_syn.unclaimed, 0U);
}

TEST_F(VerifiedTest, WhatTheLastPopRefusesIsRefused) {
  start_verified();
  EXPECT_EQ(verdict_on(6, "192.0.2.80:22"), SynVerdict::refuse);
  EXPECT_EQ(count(*relay_last, Outcome::refused_policy), 1U);
}

// Nobody answers at all.
TEST_F(VerifiedTest, SilenceIsRefusedAfterTheConnectTimeout) {
  start_verified();
  hold(6, silent_target);
  EXPECT_TRUE(no_answer());
  EXPECT_EQ(held().waiting, 1U);
  jump = settings_of_first().early_syn.claim_timeout + 1s;
  EXPECT_TRUE(no_answer()) << "a server may take longer than a client";
  jump = RelayLimits{}.connect_timeout + 1s;
  EXPECT_EQ(next_answer(6), SynVerdict::refuse);
  EXPECT_EQ(held().waiting, 0U);
  ASSERT_TRUE(both_idle());
}

TEST_F(VerifiedTest, ARetransmissionIsDroppedAndOpensNothing) {
  start_verified();
  hold(1, silent_target);
  EXPECT_EQ(verdict_on(2, silent_target), SynVerdict::drop);
  EXPECT_TRUE(no_answer());
  // The client has given up, and begins anew from the same port: the new one counts.
  hold(3, silent_target, 99);
  EXPECT_EQ(next_answer(1), SynVerdict::drop);
  EXPECT_EQ(relay_first->snapshot().early_syn.begun, 1U);
  jump = RelayLimits{}.connect_timeout + 1s;
  EXPECT_EQ(next_answer(3), SynVerdict::refuse);
  EXPECT_EQ(held().held, 3U);
  EXPECT_EQ(held().repeated, 2U);
}

// The SYN+ACK was lost: what comes after the answer is the kernel's.
TEST_F(VerifiedTest, ARetransmissionAfterTheAnswerPasses) {
  start_verified();
  const UniqueFd listener = listen_at(target);
  EXPECT_EQ(verdict_on(1), SynVerdict::pass);
  EXPECT_EQ(verdict_on(2), SynVerdict::pass);
  expect_served(listener);
  EXPECT_EQ(relay_last->snapshot().accepted_legs, 1U);
}

// One before it found the ring full, and went its way; then this was held.
TEST_F(VerifiedTest, AConnectionThatHasComeByAnotherWayHasNoNeedOfIt) {
  start_verified();
  hold(1, silent_target);
  ASSERT_TRUE(no_answer());
  const UniqueFd client = connect_client(silent_target);
  EXPECT_EQ(next_answer(1), SynVerdict::drop);
  EXPECT_EQ(relay_first->snapshot().early_syn.claimed, 1U);
  jump = RelayLimits{}.connect_timeout + 1s;
  EXPECT_EQ(end_of(client), ECONNRESET);
}

TEST_F(VerifiedTest, WhatIsNotRelayedPassesAtOnce) {
  RelaySettings settings = settings_of_first();
  settings.policy = Policy{};
  start_verified(settings);
  EXPECT_EQ(verdict_on(1), SynVerdict::pass);
  ASSERT_TRUE(syns->push(
      {.client = {ip("10.77.0.2"), 40'000, 0}, .target = at("10.77.0.1:9702"), .held = 2}));
  EXPECT_EQ(next_answer(2), SynVerdict::pass) << "another PoP's leg";
  EXPECT_EQ(relay_first->snapshot().early_syn.begun, 0U);
}

// The relay would accept it only to reset it.
TEST_F(VerifiedTest, AForbiddenTargetIsRefused) {
  start_verified();
  EXPECT_EQ(verdict_on(1, "127.0.0.1:8080"), SynVerdict::refuse);
  EXPECT_EQ(count(*relay_first, Outcome::refused_special), 1U);
}

TEST_F(VerifiedTest, WhatIsOverABudgetPasses) {
  RelaySettings settings = settings_of_first();
  settings.early_syn.max_unclaimed = 1;
  start_verified(settings);
  hold(1, silent_target);
  EXPECT_EQ(verdict_on(2, "192.0.2.98:8080"), SynVerdict::pass);
  EXPECT_EQ(relay_first->snapshot().early_syn.over_budget, 1U);
}

TEST_F(VerifiedTest, ADrainedRelayRefusesWhoWaitsAndLetsTheRestPass) {
  start_verified();
  hold(1, silent_target);
  ASSERT_TRUE(no_answer());
  jump += 3s;
  relay_first->drain(now());
  EXPECT_EQ(next_answer(1), SynVerdict::refuse);
  EXPECT_EQ(verdict_on(2), SynVerdict::pass);
}

TEST_F(VerifiedTest, WithoutEarlySynEveryOnePasses) {
  RelaySettings settings = settings_of_first();
  settings.early_syn.enabled = false;
  start_verified(settings);
  EXPECT_EQ(verdict_on(1), SynVerdict::pass);
  EXPECT_EQ(relay_first->snapshot().early_syn.begun, 0U);
}

// The other PoP has restarted: its warm legs are dead, and the question is asked again.
TEST_F(VerifiedTest, AWarmLegThatDiedIsNoRefusal) {
  RelaySettings settings = settings_of_first();
  settings.pool.enabled = true;
  start_verified(settings);
  ASSERT_TRUE(
      until([&] { return relay_first->snapshot().pops.at(0).warm.idle >= PoolSettings{}.low; }));
  restart_last(settings_of_last());
  expect_passed_and_served();
}

class VerifiedChainTest : public VerifiedTest {
 protected:
  // The third PoP is asked if the last one is not.
  static RelaySettings with_third() {
    RelaySettings settings = settings_of_first();
    settings.pops.push_back(
        {.name = "third", .overlay_address = ip("10.77.0.3"), .routes = {net("192.0.2.0/24")}});
    return settings;
  }
};

// The question goes with the connection, and the SYN waits a little longer.
TEST_F(VerifiedChainTest, AnotherPopIsAskedForOneThatIsSilent) {
  start_verified(with_third());
  start_third(settings_of_third());
  network->last.enter();
  ASSERT_TRUE(run("ip link set tun0 down"));
  expect_passed_and_served();
  EXPECT_EQ(relay_third->snapshot().accepted_legs, 1U);
}

// The last PoP answers, and the one between hands it on; so with refusals.
TEST_F(VerifiedChainTest, AnswersComeThroughAChain) {
  RelaySettings first = with_third(), third = settings_of_third();
  first.pops.front().routes.clear();
  third.pops.back().routes = {net("192.0.2.0/24")};
  RelaySettings last = settings_of_last();
  last.pops.push_back({.name = "third", .overlay_address = ip("10.77.0.3"), .routes = {}});
  start_verified(first, last);
  start_third(third);
  EXPECT_EQ(verdict_on(6), SynVerdict::refuse) << "nobody listens yet";
  const UniqueFd listener = listen_at(target);
  EXPECT_EQ(verdict_on(7), SynVerdict::pass);
  expect_served(listener);
  EXPECT_EQ(relay_third->snapshot().accepted_legs, 2U);
  EXPECT_EQ(relay_last->snapshot().accepted_legs, 2U);
}

TEST_F(VerifiedTest, AReportThatIsNotHeldIsServedAsWithoutAll) {
  start_verified();
  const UniqueFd listener = listen_at(target);
  hold(SynReport::not_held);
  ASSERT_TRUE(until([&] { return relay_first->snapshot().early_syn.begun == 1; }));
  expect_served(listener);
  EXPECT_TRUE(answers.empty());
  EXPECT_EQ(held().held, 0U);
}

// Until a refusal is known the leg says nothing; what it says is one byte, and the server's.
TEST_F(VerifiedTest, TheLegCarriesOneByteMore) {
  start_verified();
  network->first.enter();
  const UniqueFd leg =
      open_onward({.target = at("10.77.0.2:9702"), .source = at("10.77.0.1:0")}).value();
  std::array<std::uint8_t, proxy_max_size> header;
  std::array<std::uint8_t, leg_tlv_size> tlv;
  const std::size_t size =
      write_proxy_header({.local = false, .source = client_port, .target = at(target)}, header,
                         write_leg_options({.answer = true}, tlv));
  const UniqueFd listener = listen_at(target);
  ASSERT_TRUE(until([&] {
    return ::send(leg.get(), header.data(), size, MSG_NOSIGNAL) == static_cast<ssize_t>(size);
  }));
  const UniqueFd server = accept_at(listener);
  put(server.get(), "220");
  std::string said;
  EXPECT_TRUE(until([&] { return (said += get(leg.get()).bytes).size() >= 4; }));
  EXPECT_EQ(said,
            "\x01"
            "220");
}

}  // namespace
}  // namespace tw::relay
