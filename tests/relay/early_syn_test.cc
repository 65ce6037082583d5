// Early SYN through two relays in namespaces: the test is the lane that reports SYNs. Needs root,
// and skips without it.
#include <gtest/gtest.h>
#include <net/if.h>

#include "test_relays.h"

namespace tw::relay {
namespace {

constexpr const char* target = "192.0.2.80:8080";
const Endpoint client_port{ip("10.77.0.100"), 40'000, 0};

class EarlySynTest : public TwoRelaysTest {
 protected:
  EarlySynTest() : syns(*SynRing::open(syn_ring_capacity)) {
    syn_source = std::make_unique<SynRingSource>(*syns);
  }

  void report(const Endpoint& client, const char* to = target, std::uint32_t isn = 1,
              std::uint16_t payload = 0) {
    ASSERT_TRUE(syns->push(
        {.client = client, .target = at(to), .sequence = isn, .payload_bytes = payload}));
  }
  EarlySynCounters early() const { return relay_first->snapshot().early_syn; }

  const std::unique_ptr<SynRing> syns;
};

// The server sees a connection before the client has sent anything but its SYN.
TEST_F(EarlySynTest, TheServerIsConnectedBeforeTheClientHasBeenAccepted) {
  start();
  const UniqueFd listener = listen_at(target);
  report(client_port);
  const UniqueFd server = accept_at(listener);
  ASSERT_TRUE(server);
  EXPECT_EQ(early().unclaimed, 1U);
  // A server that speaks first is heard when the client is there.
  put(server.get(), "220 ready\r\n");

  const UniqueFd client = connect_from(network->client, client_port, target);
  std::string greeting;
  ASSERT_TRUE(until([&] {
    greeting += get(client.get()).bytes;
    return greeting == "220 ready\r\n";
  }));
  EXPECT_EQ(early().claimed, 1U);
  EXPECT_EQ(early().unclaimed, 0U);
  send_and_end(client, server, noise(3'000'000, 1));
  send_and_end(server, client, noise(3'000'000, 2));
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(count(*relay_first, Outcome::closed), 1U);
  EXPECT_EQ(count(*relay_last, Outcome::closed), 1U);
  EXPECT_EQ(relay_last->snapshot().accepted_legs, 1U) << "one leg, not two";
}

TEST_F(EarlySynTest, WorksForIpv6) {
  start();
  const UniqueFd listener = listen_at("[2001:db8:2::80]:8080");
  const Endpoint port{ip("fd77::100"), 40'000, 0};
  report(port, "[2001:db8:2::80]:8080");
  const UniqueFd server = accept_at(listener);
  const UniqueFd client = connect_from(network->client, port, "[2001:db8:2::80]:8080");
  send_and_end(client, server, "question");
  send_and_end(server, client, "answer");
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(early().claimed, 1U);
}

TEST_F(EarlySynTest, ARetransmittedSynBeginsNothingMore) {
  start();
  const UniqueFd listener = listen_at(target);
  for (int i = 0; i < 3; ++i) report(client_port);
  const UniqueFd server = accept_at(listener);
  EXPECT_EQ(early().begun, 1U);
  EXPECT_EQ(early().late, 2U);
}

// At tiny round trips the accepted connection overtakes the report.
TEST_F(EarlySynTest, AReportThatComesAfterTheConnectionIsIgnored) {
  start();
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, client_port, target);
  const UniqueFd server = accept_at(listener);
  report(client_port);
  ASSERT_TRUE(until([&] { return early().late == 1; }));
  EXPECT_EQ(early().begun, 0U);
  send_and_end(client, server, "question");
  send_and_end(server, client, "answer");
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(relay_last->snapshot().accepted_legs, 1U);
}

TEST_F(EarlySynTest, AHalfThatNobodyClaimsExpires) {
  start();
  const UniqueFd listener = listen_at(target);
  report(client_port);
  const UniqueFd server = accept_at(listener);
  jump = settings_of_first().early_syn.claim_timeout + 1s;
  EXPECT_EQ(end_of(server), ECONNRESET);
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(count(*relay_first, Outcome::unclaimed), 1U);
  EXPECT_EQ(early().unclaimed, 0U);
  // The same client is served all the same when it comes.
  const UniqueFd client = connect_from(network->client, client_port, target);
  const UniqueFd again = accept_at(listener);
  send_and_end(client, again, "question");
}

// A refused port is found out before the client has arrived: it meets the reset at once.
TEST_F(EarlySynTest, ARefusalIsKeptForTheClient) {
  start();
  report(client_port);
  ASSERT_TRUE(until([&] { return count(*relay_last, Outcome::connect_failed) == 1; }));
  const UniqueFd client = connect_from(network->client, client_port, target);
  EXPECT_EQ(end_of(client), ECONNRESET);
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(relay_last->snapshot().accepted_legs, 1U) << "nobody has tried a second time";
  EXPECT_EQ(early().claimed, 1U);
}

TEST_F(EarlySynTest, ASynWithDataWaitsForItsHandshake) {
  start();
  const UniqueFd listener = listen_at(target);
  report(client_port, target, 1, 100);
  ASSERT_TRUE(until([&] { return early().seen == 1; }));
  EXPECT_EQ(early().begun, 0U);
}

TEST_F(EarlySynTest, OffMeansOff) {
  RelaySettings settings = settings_of_first();
  settings.early_syn.enabled = false;
  start(settings, settings_of_last());
  const UniqueFd listener = listen_at(target);
  report(client_port);
  ASSERT_TRUE(until([&] { return early().seen == 1; }));
  EXPECT_EQ(early().begun, 0U);
  const UniqueFd client = connect_from(network->client, client_port, target);
  const UniqueFd server = accept_at(listener);
  send_and_end(client, server, "question");
}

TEST_F(EarlySynTest, WhatThePolicyRefusesIsNotBegun) {
  RelaySettings settings = settings_of_first();
  settings.policy = Policy{};
  start(settings, settings_of_last());
  const UniqueFd listener = listen_at(target);
  report(client_port);
  report({ip("10.77.0.2"), 40'000, 0});  // a PoP is nobody's client
  ASSERT_TRUE(until([&] { return early().seen == 2; }));
  EXPECT_EQ(early().begun, 0U);
}

// A flood of SYNs is not a flood of connections, and who comes by the ordinary way is served.
TEST_F(EarlySynTest, AFloodMeetsItsBudget) {
  RelaySettings settings = settings_of_first();
  settings.early_syn.per_source_burst = 20;
  settings.early_syn.per_source_rate = 1;
  settings.early_syn.max_unclaimed = 30;
  start(settings, settings_of_last());
  const UniqueFd listener = listen_at(target);
  for (std::uint16_t port = 1000; port < 1200; ++port) report({ip("10.77.0.100"), port, 0});
  for (std::uint16_t port = 1000; port < 1200; ++port) report({ip("10.88.0.100"), port, 0});
  ASSERT_TRUE(until([&] { return early().seen == 400; }));
  EXPECT_EQ(early().begun, 30U) << "20 of one source, then as many as may be unclaimed";
  EXPECT_EQ(early().over_budget, 370U);
  const UniqueFd client = connect_from(network->client, client_port, target);
  const UniqueFd server = accept_at(listener);
  ASSERT_TRUE(server);
}

// A program at a device of a LAN, where anybody may write any source address.
// No address of ours goes with a way to the PoP: the leg cannot even be begun.
TEST_F(EarlySynTest, AHalfThatFailsHereCountsOnce) {
  RelaySettings first = settings_of_first();
  first.pops[0].overlay_address = ip("fd99::2");
  first.leg_addresses = {ip("10.77.0.1")};
  start(first, settings_of_last());
  report(client_port);
  EXPECT_TRUE(until([&] { return relay_first->snapshot().early_syn.begun == 1; }));
  EXPECT_EQ(count(*relay_first, Outcome::connect_failed), 0U) << "the client is not there yet";
  const UniqueFd client = connect_from(network->client, client_port, target);
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_EQ(count(*relay_first, Outcome::connect_failed), 1U);
  EXPECT_EQ(relay_first->snapshot().pops.at(0).legs_failed, 1U);
  EXPECT_EQ(relay_first->snapshot().early_syn.claimed, 1U);
}

class DeviceSource final : public SynSource {
 public:
  DeviceSource(SynRing& ring, int device_index) : ring_(ring), device_index_(device_index) {}
  bool pop(SynReport& syn) noexcept override { return ring_.pop(syn); }
  bool arm() noexcept override { return ring_.arm(); }
  void disarm() noexcept override { ring_.disarm(); }
  int fd() const noexcept override { return ring_.fd(); }
  int device_index() const noexcept override { return device_index_; }
  void remember(const IpAddress& client) noexcept override { known.push_back(client); }

  std::vector<IpAddress> known;

 private:
  SynRing& ring_;
  int device_index_;
};

TEST_F(EarlySynTest, OnADeviceAHalfIsBegunForThoseWhoLiveThereOnly) {
  network->first.enter();
  const auto device_index = static_cast<int>(::if_nametoindex("tun0"));
  syn_source = std::make_unique<DeviceSource>(*syns, device_index);
  start();
  const UniqueFd listener = listen_at(target);
  report({ip("203.0.113.80"), 40'000, 0});  // behind wan0
  report({ip("198.51.100.1"), 40'000, 0});  // nowhere
  report({ip("10.77.0.1"), 40'000, 0});     // we ourselves
  ASSERT_TRUE(until([&] { return early().seen == 3; }));
  EXPECT_EQ(early().begun, 0U);
  EXPECT_EQ(early().wrong_device, 3U);
  report(client_port);
  const UniqueFd server = accept_at(listener);
  EXPECT_EQ(early().begun, 1U);
}

// Half of the places, so that a flood of those who do not exist leaves some to those who do.
TEST_F(EarlySynTest, StrangersHaveHalfOfThePlaces) {
  RelaySettings settings = settings_of_first();
  settings.early_syn.max_unclaimed = 10;
  start(settings, settings_of_last());
  const UniqueFd listener = listen_at(target);
  const auto report_of = [&](std::uint16_t port, bool proven) {
    return syns->push(
        {.client = {ip("10.77.0.100"), port, 0}, .target = at(target), .proven = proven});
  };
  for (std::uint16_t port = 1000; port < 1020; ++port) ASSERT_TRUE(report_of(port, false));
  ASSERT_TRUE(until([&] { return early().seen == 20; }));
  EXPECT_EQ(early().begun, 5U);
  for (std::uint16_t port = 2000; port < 2020; ++port) ASSERT_TRUE(report_of(port, true));
  ASSERT_TRUE(until([&] { return early().seen == 40; }));
  EXPECT_EQ(early().begun, 10U);
  // A half that has expired, or was claimed, gives its place back.
  jump += settings.early_syn.claim_timeout + 1s;
  ASSERT_TRUE(until([&] { return early().unclaimed == 0; }));
  ASSERT_TRUE(report_of(40'000, false));
  const UniqueFd server = accept_at(listener);
  const UniqueFd client = connect_from(network->client, client_port, target);
  ASSERT_TRUE(until([&] { return early().claimed == 1; }));
  for (std::uint16_t port = 3000; port < 3020; ++port) ASSERT_TRUE(report_of(port, false));
  ASSERT_TRUE(until([&] { return early().seen == 61; }));
  EXPECT_EQ(early().begun, 16U);
}

TEST_F(EarlySynTest, WhoHasCompletedAHandshakeIsRemembered) {
  network->first.enter();
  const auto device_index = static_cast<int>(::if_nametoindex("tun0"));
  auto device = std::make_unique<DeviceSource>(*syns, device_index);
  const std::vector<IpAddress>& known = device->known;
  syn_source = std::move(device);
  start();
  const UniqueFd listener = listen_at(target);
  EXPECT_TRUE(known.empty());
  const UniqueFd client = connect_from(network->client, client_port, target);
  const UniqueFd server = accept_at(listener);
  EXPECT_EQ(known, std::vector{client_port.address});
}

TEST_F(EarlySynTest, SourcesComeAndGoWhileItRuns) {
  start();
  const UniqueFd listener = listen_at(target);
  const std::unique_ptr<SynRing> ring = *SynRing::open(syn_ring_capacity);
  SynRingSource other{*ring};
  ASSERT_TRUE(relay_first->take_syns_from({&other, syn_source.get()}));
  report(client_port);
  ASSERT_TRUE(ring->push({.client = {ip("10.77.0.100"), 40'001, 0}, .target = at(target)}));
  ASSERT_TRUE(until([&] { return early().begun == 2; }));
  ASSERT_TRUE(relay_first->take_syns_from({&other}));
  report({ip("10.77.0.100"), 40'002, 0});
  ASSERT_TRUE(ring->push({.client = {ip("10.77.0.100"), 40'003, 0}, .target = at(target)}));
  ASSERT_TRUE(until([&] { return early().begun == 3; }));
  EXPECT_EQ(early().seen, 3U) << "nobody listens to the first any more";
}

TEST_F(EarlySynTest, MoreThanTheRingHoldsIsLeftToTheHandshake) {
  for (std::size_t i = 0; i < syn_ring_capacity; ++i) {
    report({ip("10.77.0.100"), static_cast<std::uint16_t>(1000 + i), 0});
  }
  EXPECT_FALSE(syns->push({.client = client_port, .target = at(target)}));
}

}  // namespace
}  // namespace tw::relay
