// Two relays in namespaces log their connections, at both ends of a leg. Needs root, and
// skips without it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "relay/log/test_folder.h"
#include "test_relays.h"
#include "wire/message/proxy_v2.h"

namespace tw::relay {
namespace {

constexpr const char* target = "192.0.2.80:8080";
const Endpoint client_port{ip("10.77.0.100"), 40'000, 0};

class RelayLogTest : public TwoRelaysTest {
 protected:
  RelaySettings logging(RelaySettings settings, const char* file) {
    settings.log.connections = true;
    settings.log.file = folder.file(file);
    settings.log.format = LogFormat::parse(
                              "{time} {from} {client} {target} {way}/{leg}/{early} {bytes_up} "
                              "{bytes_down} {outcome} {errno} {active}")
                              .value();
    return settings;
  }
  void start_logging() {
    start(logging(settings_of_first(), "first"), logging(settings_of_last(), "last"));
  }
  // Without their times, which come first.
  std::vector<std::string> lines_of(const char* file) const {
    std::vector<std::string> lines;
    std::istringstream text{text_of(folder.file(file))};
    for (std::string line; std::getline(text, line);) {
      lines.push_back(line.substr(std::min(line.find(' ') + 1, line.size())));
    }
    return lines;
  }
  // Ends the relays, so that all they had to log has been written.
  void end() {
    relay_first.reset();
    relay_last.reset();
  }
  TestFolder folder;
  std::unique_ptr<SynRing> syns;  // for who wants early halves
};

using Lines = std::vector<std::string>;

TEST_F(RelayLogTest, BothEndsOfALegSayWhoAndHow) {
  start_logging();
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, client_port, target);
  const UniqueFd server = accept_at(listener);
  send_and_end(client, server, "question");
  send_and_end(server, client, "answered");
  ASSERT_TRUE(both_idle());
  end();
  EXPECT_EQ(lines_of("first"), (Lines{"client 10.77.0.100:40000 192.0.2.80:8080 last/fresh/- 8 8 "
                                      "closed - 1"}));
  EXPECT_EQ(lines_of("last"),
            (Lines{"first 10.77.0.100:40000 192.0.2.80:8080 direct/-/- 8 8 closed - 1"}));
}

TEST_F(RelayLogTest, AFailureSaysWhereAndWhy) {
  start_logging();
  // Nobody listens there.
  const UniqueFd client = connect_from(network->client, client_port, target);
  EXPECT_EQ(end_of(client), ECONNRESET);
  ASSERT_TRUE(both_idle());
  // The last PoP's policy.
  const Endpoint other_port{client_port.address, 40'001, 0};
  const UniqueFd refused = connect_from(network->client, other_port, "192.0.2.80:22");
  EXPECT_EQ(end_of(refused), ECONNRESET);
  ASSERT_TRUE(both_idle());
  end();
  EXPECT_EQ(lines_of("last"),
            (Lines{"first 10.77.0.100:40000 192.0.2.80:8080 direct/-/- 0 0 connect_failed "
                   "ECONNREFUSED 1",
                   "first 10.77.0.100:40001 192.0.2.80:22 -/-/- 0 0 refused_policy - 1"}));
  EXPECT_EQ(lines_of("first").size(), 2U);
  EXPECT_EQ(lines_of("first").at(0),
            "client 10.77.0.100:40000 192.0.2.80:8080 last/fresh/- 0 0 reset ECONNRESET 1");
}

TEST_F(RelayLogTest, WhatIsRefusedAtTheDoorAndWhatIsCutAtTheEndAreSaid) {
  RelaySettings first = logging(settings_of_first(), "first");
  first.limits.max_connections = 1;
  start(first, settings_of_last());
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, client_port, target);
  const UniqueFd server = accept_at(listener);
  const Endpoint other_port{client_port.address, 40'001, 0};
  const UniqueFd other = connect_from(network->client, other_port, target);
  EXPECT_EQ(end_of(other), ECONNRESET);
  end();
  EXPECT_EQ(lines_of("first"),
            (Lines{"client 10.77.0.100:40001 192.0.2.80:8080 -/-/- 0 0 limit - 1",
                   "client 10.77.0.100:40000 192.0.2.80:8080 last/fresh/- 0 0 shutdown - 1"}));
}

TEST_F(RelayLogTest, AHalfThatBeganAtASynIsEarly) {
  syns = *SynRing::open(syn_ring_capacity);
  syn_source = std::make_unique<SynRingSource>(*syns);
  start_logging();
  const UniqueFd listener = listen_at(target);
  ASSERT_TRUE(syns->push({.client = client_port, .target = at(target), .sequence = 1}));
  const UniqueFd server = accept_at(listener);
  jump = settings_of_first().early_syn.claim_timeout + 1s;
  EXPECT_EQ(end_of(server), ECONNRESET);
  ASSERT_TRUE(both_idle());
  end();
  EXPECT_EQ(lines_of("first"), (Lines{"client 10.77.0.100:40000 192.0.2.80:8080 last/fresh/early "
                                      "0 0 unclaimed - 1"}));
}

// Port 0 is a target as any other, which the policy refuses; it is not one that is still to come.
TEST_F(RelayLogTest, ALegThatNamesPortZeroIsCountedWhileItLasts) {
  start_logging();
  const Endpoint v6_client = at("[fd77::100]:40000");
  for (const auto& [client, where] :
       {std::pair{client_port, at("192.0.2.80:0")}, std::pair{client_port, at("192.0.2.80:0")},
        std::pair{v6_client, at("[2001:db8::80]:0")}}) {
    std::array<std::uint8_t, proxy_max_size> header;
    const std::size_t size =
        write_proxy_header({.local = false, .source = client, .target = where}, header);
    const UniqueFd leg = connect_from(network->first, "10.77.0.2:9702");
    ASSERT_TRUE(until([&] { return (wait_for(leg.get(), POLLOUT, 0) & POLLOUT) != 0; }));
    put(leg.get(), as_text(ByteView{header}.first(size)));
    EXPECT_EQ(end_of(leg), ECONNRESET);
  }
  ASSERT_TRUE(both_idle());
  end();
  for (const std::string& line : lines_of("last")) {
    EXPECT_TRUE(line.ends_with(" 1")) << line << ": one was there at a time";
  }
  EXPECT_EQ(lines_of("last").size(), 3U);
}

// Warm legs that nobody needed, and health checks, are nobody's connections.
TEST_F(RelayLogTest, LegsThatWaitedInVainAreNotSaid) {
  RelaySettings first = logging(settings_of_first(), "first");
  first.pool.enabled = true;
  start(first, logging(settings_of_last(), "last"));
  ASSERT_TRUE(until([&] { return relay_last->snapshot().waiting_legs >= 4; }));
  relay_first->drain(now());
  ASSERT_TRUE(until([&] { return relay_last->snapshot().waiting_legs == 0; }));
  end();
  EXPECT_EQ(lines_of("first"), Lines{});
  EXPECT_EQ(lines_of("last"), Lines{});
}

TEST_F(RelayLogTest, ItIsTurnedOnAndOffWhileTheRelayRuns) {
  start();
  const UniqueFd listener = listen_at(target);
  const auto exchange = [&](std::uint16_t port) {
    const Endpoint from{client_port.address, port, 0};
    const UniqueFd client = connect_from(network->client, from, target);
    const UniqueFd server = accept_at(listener);
    send_and_end(client, server, "question");
    send_and_end(server, client, "answered");
    ASSERT_TRUE(both_idle());
  };
  exchange(40'000);
  relay_first->apply(logging(settings_of_first(), "first"));
  exchange(40'001);
  relay_first->apply(settings_of_first());
  exchange(40'002);
  EXPECT_EQ(relay_first->snapshot().log.lines, 1U);
  end();
  ASSERT_EQ(lines_of("first").size(), 1U);
  EXPECT_NE(lines_of("first").at(0).find("10.77.0.100:40001"), std::string::npos);
}

}  // namespace
}  // namespace tw::relay
