#include "relay/syn/early_halves.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/manual_context.h"
#include "relay/legs/leg_liveness.h"
#include "relay/sockets/event_queue.h"

namespace tw::relay {
namespace {

constexpr Instant start{Duration{100s}};
constexpr int lan = 3;

Endpoint at(std::string_view text) { return Endpoint::parse(text).value(); }

// Every address is reached by the same device.
class FakeKernel final : public RouteLookup {
 public:
  Result<KernelRoute> ask(const IpAddress& /*target*/) noexcept override {
    return KernelRoute{KernelRoute::Kind::remote, lan};
  }
};

class FakeSource final : public SynSource {
 public:
  explicit FakeSource(int device) : device_(device) {}
  bool pop(SynReport& /*syn*/) noexcept override { return false; }
  bool arm() noexcept override { return true; }
  void disarm() noexcept override {}
  int fd() const noexcept override { return -1; }
  int device_index() const noexcept override { return device_; }

 private:
  int device_;
};

// All targets are the PoP's, and no leg can be made to it, because no overlay address is ours: the
// halves begin, fail, and wait for their clients to see it, without a socket.
class EarlyHalvesTest : public testing::Test {
 protected:
  EarlyHalvesTest() {
    pops.apply(settings);
    ways.apply();
    clients.apply(table);
    halves.answer_to({&ring});
  }
  static RelaySettings few_halves() {
    RelaySettings settings;
    settings.tun_device = "tw0";
    settings.pops = {
        {.name = "last",
         .overlay_address = IpAddress::parse("10.77.0.2").value(),
         .routes = {Prefix::parse("192.0.2.0/24").value(), Prefix::parse("2001:db8::/32").value()},
         .legs = Legs::any}};
    settings.policy = Policy{{{.action = Action::relay}}};
    settings.early_syn.max_unclaimed = 4;
    settings.early_syn.max_unclaimed_per_client = 3;
    return settings;
  }
  static SynReport syn(std::string_view client, bool proven = true) {
    return {.client = at(client), .target = at("192.0.2.80:443"), .proven = proven};
  }
  std::optional<Arrived> take(const SynReport& report, bool begins = true, int device = 0) {
    return halves.take(report, FakeSource{device}, begins, start);
  }
  // As the turn does it that drives them.
  void end(ConnectionId id) {
    Connection& connection = *table.find(id);
    clients.remove(connection, id);
    halves.forget(connection, start);
    table.remove(id);
  }
  std::vector<std::pair<std::uint32_t, SynVerdict>> answers() {
    std::vector<std::pair<std::uint32_t, SynVerdict>> taken;
    for (SynAnswer answer; ring.pop(answer);) taken.emplace_back(answer.held, answer.verdict);
    return taken;
  }
  using Answers = std::vector<std::pair<std::uint32_t, SynVerdict>>;

  RelaySettings settings = few_halves();
  EventQueue events = EventQueue::open().value();
  PopTable pops;
  Clients clients{settings};
  ConnectionTable table{100};
  ConnectionAccounts accounts{pops};
  WayChoice ways{settings, pops, 7, std::make_unique<FakeKernel>()};
  LegLiveness liveness{table, pops};
  Connector connector{settings, pops, ways, liveness, events};
  EarlyHalves halves{settings, table, clients, ways, connector, accounts};
  ManualClock clock;
  ManualContext lane{ContextId{0}, clock};
  SynAnswers ring{lane, held_syns_max};
};

TEST_F(EarlyHalvesTest, ASynBeginsOneHalfHoweverOftenItIsSent) {
  for (const char* client : {"10.77.0.100:4000", "[fd77::100]:4000"}) {
    SCOPED_TRACE(client);
    SynReport report = syn(client);
    if (!report.client.address.is_v4()) report.target = at("[2001:db8::80]:443");
    const auto arrived = take(report);
    ASSERT_TRUE(arrived);
    EXPECT_EQ(arrived->step, Step::more);
    EXPECT_FALSE(table.find(arrived->id)->claim().is_made());
    EXPECT_FALSE(take(report));
    EXPECT_EQ(clients.find({report.client, report.target}), arrived->id);
  }
  EXPECT_EQ(halves.counters().seen, 4U);
  EXPECT_EQ(halves.counters().begun, 2U);
  EXPECT_EQ(halves.counters().late, 2U);
  EXPECT_EQ(halves.counters().unclaimed, 2U);
}

TEST_F(EarlyHalvesTest, AHalfThatIsClaimedOrEndsMakesRoomForOthers) {
  const auto first = take(syn("10.77.0.100:1"));
  const auto second = take(syn("10.77.0.100:2"));
  ASSERT_TRUE(first && second && take(syn("10.77.0.100:3")));
  EXPECT_FALSE(take(syn("10.77.0.100:4"))) << "as many as one client may";
  ASSERT_TRUE(take(syn("10.77.0.101:1")));
  EXPECT_FALSE(take(syn("10.77.0.102:1"))) << "as many as all may";
  EXPECT_EQ(halves.counters().over_budget, 2U);
  end(first->id);
  EXPECT_TRUE(take(syn("10.77.0.102:1")));
  halves.claim(*table.find(second->id), UniqueFd{::dup(STDIN_FILENO)}, start);
  EXPECT_TRUE(take(syn("10.77.0.100:4")));
  EXPECT_EQ(halves.counters().claimed, 1U);
  EXPECT_EQ(halves.counters().unclaimed, 4U);
  EXPECT_EQ(clients.connections_of(clients.principal_of(at("10.77.0.100:1").address)), 3U);
}

TEST_F(EarlyHalvesTest, ClientsThatMayNotExistHaveHalfOfThePlaces) {
  const auto first = take(syn("10.77.1.1:1", /*proven=*/false));
  ASSERT_TRUE(first && take(syn("10.77.1.2:1", /*proven=*/false)));
  EXPECT_FALSE(take(syn("10.77.1.3:1", /*proven=*/false)));
  ASSERT_TRUE(take(syn("10.77.0.100:1")));
  end(first->id);
  EXPECT_TRUE(take(syn("10.77.1.3:1", /*proven=*/false)));
}

TEST_F(EarlyHalvesTest, BeginsOnlyForAClientThatIsReachedByTheDeviceItCameBy) {
  EXPECT_FALSE(take(syn("10.77.0.100:1"), true, lan + 1));
  EXPECT_EQ(halves.counters().wrong_device, 1U);
  EXPECT_TRUE(take(syn("10.77.0.100:1"), true, lan));
}

TEST_F(EarlyHalvesTest, BeginsNoneWhileNoConnectionsAreTakenNorForASynWithData) {
  EXPECT_FALSE(take(syn("10.77.0.100:1"), /*begins=*/false));
  SynReport report = syn("10.77.0.100:1");
  report.payload_bytes = 9;
  EXPECT_FALSE(take(report));
  settings.early_syn.enabled = false;
  EXPECT_FALSE(take(syn("10.77.0.100:1")));
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(EarlyHalvesTest, AHeldSynIsAnsweredOnceWhateverBecomesOfIt) {
  SynReport report = syn("10.77.0.100:1");
  report.held = 5;
  EXPECT_FALSE(take(report, /*begins=*/false));
  EXPECT_EQ(answers(), (Answers{{5, SynVerdict::pass}}));

  // A half that waits for its server, as far as the SYN is concerned.
  const auto half = take(syn("10.77.0.100:1"));
  ASSERT_TRUE(half);
  EXPECT_FALSE(take(report)) << "its half has let one go before";
  EXPECT_EQ(answers(), (Answers{{5, SynVerdict::pass}}));

  // The one way of it fails at once: the half is finished, and its end refuses the SYN.
  SynReport refused = syn("10.77.0.101:1");
  refused.held = 6;
  const auto ended = take(refused);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->step, Step::finished);
  EXPECT_TRUE(answers().empty());
  EXPECT_EQ(halves.held_counters().waiting, 1U);
  refused.held = 7;  // a retransmission meanwhile
  EXPECT_FALSE(take(refused));
  EXPECT_EQ(answers(), (Answers{{7, SynVerdict::drop}}));
  refused.held = 8;  // begun anew from the same port
  refused.sequence = 99;
  EXPECT_FALSE(take(refused));
  EXPECT_EQ(answers(), (Answers{{6, SynVerdict::drop}}));
  end(ended->id);
  EXPECT_EQ(answers(), (Answers{{8, SynVerdict::refuse}}));

  const HeldSynCounters& counted = halves.held_counters();
  EXPECT_EQ(counted.waiting, 0U);
  EXPECT_EQ(counted.held, 5U);
  EXPECT_EQ(counted.passed + counted.refused + counted.repeated, counted.held);
}

TEST_F(EarlyHalvesTest, WhatMayNotBeServedIsRefusedAndWhatIsNotRelayedPasses) {
  SynReport special = syn("10.77.0.100:1");
  special.target = at("127.0.0.1:22");
  special.held = 1;
  EXPECT_FALSE(take(special));
  EXPECT_EQ(answers(), (Answers{{1, SynVerdict::refuse}}));
  EXPECT_EQ(accounts.count_of(Outcome::refused_special), 1U);
  settings.policy = Policy{};
  ways.apply();
  SynReport routed = syn("10.77.0.100:1");
  routed.held = 2;
  EXPECT_FALSE(take(routed));
  EXPECT_EQ(answers(), (Answers{{2, SynVerdict::pass}}));
  EXPECT_EQ(accounts.count_of(Outcome::refused_policy), 0U);
}

TEST_F(EarlyHalvesTest, UnderNewSettingsHalvesAreTheirClientsStill) {
  const auto half = take(syn("10.77.0.100:1"));
  ASSERT_TRUE(half);
  settings.principals = std::make_shared<Principals>(std::vector<PeerNetworks>{
      {.id = 1, .allowed_ips = {Prefix::parse("10.77.0.100/32").value()}}});
  clients.apply(table);
  halves.apply();
  EXPECT_EQ(clients.connections_of(Principal::of_peer(1)), 1U);
  end(half->id);
  EXPECT_EQ(clients.connections_of(Principal::of_peer(1)), 0U);
  EXPECT_EQ(halves.counters().unclaimed, 0U);
}

}  // namespace
}  // namespace tw::relay
