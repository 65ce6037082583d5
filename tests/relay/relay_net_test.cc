// Two relays and what is around them, in namespaces. Needs root, and skips without it.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "test_relays.h"
#include "wire/message/proxy_v2.h"

namespace tw::relay {
namespace {

using RelayNetTest = TwoRelaysTest;

TEST_F(RelayNetTest, TwentyMegabytesEachWayThroughTwoPops) {
  start();
  const UniqueFd listener = listen_at("192.0.2.80:8080");
  const UniqueFd client = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd server = accept_at(listener);
  // Each half-closes after its last byte: the server answers a client that has ended already.
  send_and_end(client, server, noise(20'000'000, 1));
  send_and_end(server, client, noise(20'000'000, 2));
  ASSERT_TRUE(both_idle());
  for (const auto* relay : {relay_first.get(), relay_last.get()}) {
    EXPECT_EQ(count(*relay, Outcome::closed), 1U);
    EXPECT_EQ(relay->snapshot().bytes_upstream, 20'000'000U);
    EXPECT_EQ(relay->snapshot().bytes_downstream, 20'000'000U);
  }
  EXPECT_EQ(relay_first->snapshot().accepted_clients, 1U);
  EXPECT_EQ(relay_first->snapshot().pops.at(0).legs_opened, 1U);
  EXPECT_EQ(relay_last->snapshot().accepted_legs, 1U);
}

TEST_F(RelayNetTest, Ipv6ClientsAndTargetsOverTheSameLeg) {
  start();
  const UniqueFd listener = listen_at("[2001:db8:2::80]:8080");
  const UniqueFd client = connect_from(network->client, "[2001:db8:2::80]:8080");
  const UniqueFd server = accept_at(listener);
  send_and_end(client, server, "question");
  send_and_end(server, client, "answer");
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(count(*relay_last, Outcome::closed), 1U);
}

TEST_F(RelayNetTest, DirectWhereNoPopCovers) {
  start();
  const UniqueFd listener = listen_at("203.0.113.80:8080");
  const UniqueFd client = connect_from(network->client, "203.0.113.80:8080");
  const UniqueFd server = accept_at(listener);
  send_and_end(server, client, "a server may speak first");
  send_and_end(client, server, "");
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(count(*relay_first, Outcome::closed), 1U);
  EXPECT_EQ(relay_last->snapshot().accepted_legs, 0U);
}

TEST_F(RelayNetTest, AResetOfEitherSideReachesTheOther) {
  start();
  const UniqueFd listener = listen_at("192.0.2.80:8080");
  for (const bool by_client : {true, false}) {
    UniqueFd client = connect_from(network->client, "192.0.2.80:8080");
    UniqueFd server = accept_at(listener);
    (by_client ? client : server).reset();  // they linger {1, 0} too
    EXPECT_EQ(end_of(by_client ? server : client), ECONNRESET);
  }
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(count(*relay_first, Outcome::reset), 2U);
  EXPECT_EQ(count(*relay_last, Outcome::reset), 2U);
}

TEST_F(RelayNetTest, ARefusedServerReachesTheClientAsAReset) {
  start();
  for (const char* target : {"192.0.2.80:8081", "203.0.113.80:8081"}) {
    const UniqueFd client = connect_from(network->client, target);
    EXPECT_EQ(end_of(client), ECONNRESET) << target;
  }
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(count(*relay_last, Outcome::connect_failed), 1U);
  EXPECT_EQ(count(*relay_first, Outcome::connect_failed), 1U);
  EXPECT_EQ(count(*relay_first, Outcome::reset), 1U);
}

TEST_F(RelayNetTest, ThePolicyIsAppliedAtBothPops) {
  RelaySettings first = settings_of_first();
  first.policy =
      Policy{{{.protocol = Protocol::tcp, .ports = {{8082, 8082}}}, {.action = Action::relay}}};
  start(std::move(first), settings_of_last());
  const UniqueFd at_first = connect_from(network->client, "192.0.2.80:8082");
  EXPECT_EQ(end_of(at_first), ECONNRESET);
  EXPECT_EQ(count(*relay_first, Outcome::refused_policy), 1U);
  const UniqueFd at_last = connect_from(network->client, "192.0.2.80:22");
  EXPECT_EQ(end_of(at_last), ECONNRESET);
  EXPECT_EQ(count(*relay_last, Outcome::refused_policy), 1U);
}

TEST_F(RelayNetTest, NoWayIntoAPopItself) {
  start();
  // The last PoP's own address; the first one's, on its other side; its listener without TPROXY.
  const std::pair<const char*, Relay&> cases[]{{"192.0.2.1:8080", *relay_last},
                                               {"203.0.113.1:8080", *relay_first},
                                               {"10.77.0.1:9701", *relay_first}};
  for (const auto& [target, refuses] : cases) {
    const std::uint64_t before = count(refuses, Outcome::refused_special);
    const UniqueFd client = connect_from(network->client, target);
    EXPECT_EQ(end_of(client), ECONNRESET) << target;
    EXPECT_EQ(count(refuses, Outcome::refused_special), before + 1) << target;
  }
}

TEST_F(RelayNetTest, LegsFromOthersAreRefused) {
  start();
  const UniqueFd stranger = connect_from(network->client, "10.77.0.2:9702");
  EXPECT_EQ(end_of(stranger), ECONNRESET);
  EXPECT_EQ(count(*relay_last, Outcome::refused_source), 1U);
}

// A PoP's address, and bytes of our own.
class HostileLegTest : public RelayNetTest {
 protected:
  UniqueFd leg(std::string_view bytes) {
    UniqueFd socket = connect_from(network->first, "10.77.0.2:9702");
    EXPECT_TRUE(until([&] { return (wait_for(socket.get(), POLLOUT, 0) & POLLOUT) != 0; }));
    if (!bytes.empty()) put(socket.get(), bytes);
    return socket;
  }
  static std::string header(const char* source, const char* target, bool local = false) {
    std::array<std::uint8_t, proxy_max_size> buffer;
    const std::size_t size =
        write_proxy_header({.local = local, .source = at(source), .target = at(target)}, buffer);
    return std::string{as_text(ByteView{buffer}.first(size))};
  }
};

TEST_F(HostileLegTest, AMalformedHeaderIsAReset) {
  start();
  std::string flipped = header("10.77.0.100:4000", "192.0.2.80:8080");
  flipped[21] = static_cast<char>(flipped[21] ^ 4);
  for (const std::string& bytes : {std::string{"GET / HTTP/1.1\r\n\r\n"}, flipped}) {
    EXPECT_EQ(end_of(leg(bytes)), ECONNRESET);
  }
  UniqueFd cut = leg(flipped.substr(0, 10));
  ::shutdown(cut.get(), SHUT_WR);
  EXPECT_EQ(end_of(cut), ECONNRESET);
  EXPECT_EQ(count(*relay_last, Outcome::bad_header), 3U);
}

TEST_F(HostileLegTest, AHeaderThatDoesNotComeInTimeIsAReset) {
  start();
  const UniqueFd silent = leg(header("10.77.0.100:4000", "192.0.2.80:8080").substr(0, 30));
  EXPECT_TRUE(until([&] { return relay_last->snapshot().active == 1; }));
  jump += 11s;
  EXPECT_EQ(end_of(silent), ECONNRESET);
  EXPECT_EQ(count(*relay_last, Outcome::bad_header), 1U);
}

TEST_F(HostileLegTest, ATrueHeaderToAForbiddenTargetIsAReset) {
  start();
  for (const char* target : {"127.0.0.1:8080", "192.0.2.1:8080", "10.77.0.2:9702", "[::1]:8080",
                             "[::ffff:127.0.0.1]:8080", "169.254.169.254:8080", "0.0.0.0:8080"}) {
    const std::uint64_t before = count(*relay_last, Outcome::refused_special);
    EXPECT_EQ(end_of(leg(header("10.77.0.100:4000", target))), ECONNRESET) << target;
    EXPECT_EQ(count(*relay_last, Outcome::refused_special), before + 1) << target;
  }
  EXPECT_EQ(end_of(leg(header("10.99.0.1:4000", "192.0.2.80:8080"))), ECONNRESET);
  EXPECT_EQ(count(*relay_last, Outcome::refused_policy), 1U);
}

TEST_F(HostileLegTest, AHealthCheckEndsInOrder) {
  start();
  const std::string usual = header("10.77.0.100:4000", "192.0.2.80:8080", true);
  EXPECT_EQ(end_of(leg(usual)), 0);
  EXPECT_EQ(count(*relay_last, Outcome::closed), 1U);
  // A header of an unknown family, with a block that is no TLVs, longer than any other may be.
  const std::string odd =
      usual.substr(0, 13) + "\xff\x20" + std::string(1, '\0') + std::string(0x2000, '\xff');
  EXPECT_EQ(end_of(leg(odd)), 0);
  EXPECT_EQ(count(*relay_last, Outcome::closed), 2U);
  EXPECT_EQ(count(*relay_last, Outcome::bad_header), 0U);
}

TEST_F(HostileLegTest, AHeaderInPiecesWithDataBehindIt) {
  start();
  const UniqueFd listener = listen_at("192.0.2.80:8080");
  const std::string bytes = header("10.77.0.100:4000", "192.0.2.80:8080") + "first data";
  const UniqueFd socket = leg("");
  for (const char byte : bytes) {
    put(socket.get(), {&byte, 1});
    turn();
  }
  const UniqueFd server = accept_at(listener);
  std::string received;
  EXPECT_TRUE(until([&] { return (received += get(server.get()).bytes).size() >= 10; }));
  EXPECT_EQ(received, "first data");
}

TEST_F(RelayNetTest, SilenceEndsWithTheTimeouts) {
  start();
  const UniqueFd listener = listen_at("192.0.2.80:8080");
  const UniqueFd client = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd server = accept_at(listener);
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(end_of(server), 0);
  jump += 59s;
  turn();
  EXPECT_EQ(relay_last->snapshot().active, 1U);
  // Once more: in this hurry the end's acknowledgement may still be on its way, which is no
  // silence.
  jump += 2s;
  turn();
  jump += 61s;
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_EQ(count(*relay_first, Outcome::idle) + count(*relay_last, Outcome::idle) +
                count(*relay_first, Outcome::reset) + count(*relay_last, Outcome::reset),
            2U);
}

TEST_F(RelayNetTest, MaxConnectionsResetsWhoIsTooMany) {
  RelaySettings first = settings_of_first();
  first.limits.max_connections = 1;
  start(std::move(first), settings_of_last());
  const UniqueFd listener = listen_at("192.0.2.80:8080");
  const UniqueFd client = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd server = accept_at(listener);
  const UniqueFd second = connect_from(network->client, "192.0.2.80:8080");
  EXPECT_EQ(end_of(second), ECONNRESET);
  EXPECT_EQ(count(*relay_first, Outcome::limit), 1U);
  send_and_end(server, client, "still served");
}

TEST_F(RelayNetTest, AClientWithTooManyIsResetAndOthersAreServed) {
  RelaySettings first = settings_of_first();
  first.limits.max_connections_per_client = 2;
  start(std::move(first), settings_of_last());
  const UniqueFd listener = listen_at("192.0.2.80:8080");
  const UniqueFd listener6 = listen_at("[2001:db8:2::80]:8080");
  UniqueFd client = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd server = accept_at(listener);
  const UniqueFd second = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd second_server = accept_at(listener);
  const UniqueFd third = connect_from(network->client, "192.0.2.80:8080");
  EXPECT_EQ(end_of(third), ECONNRESET);
  EXPECT_EQ(count(*relay_first, Outcome::client_limit), 1U);
  EXPECT_EQ(count(*relay_first, Outcome::limit), 0U);
  const UniqueFd other = connect_from(network->client, "[2001:db8:2::80]:8080");
  const UniqueFd other_server = accept_at(listener6);
  send_and_end(other_server, other, "another address has room of its own");
  client.reset();
  EXPECT_TRUE(until([&] { return relay_first->snapshot().active == 2; }));
  const UniqueFd fourth = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd fourth_server = accept_at(listener);
  send_and_end(fourth_server, fourth, "and whoever has ended one may have another");
}

// An address is what a client says: whoever has a /64 has as many as he likes, and a peer has those
// that it is allowed.
TEST_F(RelayNetTest, AClientIsItsSixtyFourOrItsPeer) {
  RelaySettings first = settings_of_first();
  first.limits.max_connections_per_client = 2;
  const auto peers = std::vector<PeerNetworks>{
      {.id = 1, .allowed_ips = {net("10.77.0.101"), net("fd77:0:0:5::/64")}}};
  first.principals = std::make_shared<Principals>(peers);
  RelaySettings last = settings_of_last();
  last.policy = Policy{{{.action = Action::relay}}};
  start(first, last);
  network->client.enter();
  for (const char* address : {"fd77::101/64", "fd77::102/64", "fd77:0:0:5::1/64"}) {
    ASSERT_TRUE(run(std::string{"ip address add "} + address + " dev eth0 nodad"));
  }
  ASSERT_TRUE(run("ip address add 10.77.0.101/24 dev eth0"));
  network->first.enter();
  ASSERT_TRUE(run("ip -6 route add fd77:0:0:5::/64 dev tun0"));
  const auto connect = [&](const char* source, const char* to) {
    return connect_from(network->client, Endpoint{ip(source), 0, 0}, to);
  };
  constexpr const char *server4 = "192.0.2.80:8080", *server6 = "[2001:db8:2::80]:8080";
  const UniqueFd listener = listen_at(server4), listener6 = listen_at(server6);
  std::vector<UniqueFd> kept;
  for (const char* source : {"fd77::100", "fd77::101"}) {
    kept.push_back(connect(source, server6));
    kept.push_back(accept_at(listener6));
  }
  EXPECT_EQ(end_of(connect("fd77::102", server6)), ECONNRESET) << "the same /64";
  kept.push_back(connect("fd77:0:0:5::1", server6));
  kept.push_back(accept_at(listener6));
  kept.push_back(connect("10.77.0.101", server4));
  kept.push_back(accept_at(listener));
  EXPECT_EQ(end_of(connect("10.77.0.101", server4)), ECONNRESET) << "the same peer";
  EXPECT_EQ(count(*relay_first, Outcome::client_limit), 2U);
  // A reload after which the peer's are two clients again counts as from the beginning.
  first.principals = nullptr;
  relay_first->apply(first);
  kept.push_back(connect("10.77.0.101", server4));
  kept.push_back(accept_at(listener));
  kept.clear();
  EXPECT_TRUE(until([&] { return relay_first->snapshot().active == 0; }));
}

TEST_F(RelayNetTest, DrainingFinishesWhatRunsAndRefusesTheRest) {
  start();
  const UniqueFd listener = listen_at("192.0.2.80:8080");
  const UniqueFd client = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd server = accept_at(listener);
  relay_first->drain(now());
  turn();
  for (const char* target : {"192.0.2.80:8080", "[2001:db8:2::80]:8080"}) {
    const UniqueFd late = connect_from(network->client, target);
    EXPECT_EQ(end_of(late), ECONNRESET) << target;
  }
  // A leg as well; and none of the ports is anybody's else.
  const UniqueFd leg = connect_from(network->last, "10.77.0.1:9702");
  EXPECT_EQ(end_of(leg), ECONNRESET);
  EXPECT_EQ(count(*relay_first, Outcome::shutdown), 3U);
  for (const char* taken : {"10.77.0.1:9702", "0.0.0.0:9702", "0.0.0.0:9701", "[::]:9702"}) {
    network->first.enter();
    EXPECT_EQ(open_listener({.address = at(taken)}).error().os_errno, EADDRINUSE) << taken;
  }
  send_and_end(client, server, "finishes");
  send_and_end(server, client, "in order");
  EXPECT_TRUE(both_idle());
  EXPECT_EQ(relay_first->snapshot().accepted_clients, 1U);
  relay_first->resume();
  relay_first->apply(settings_of_first());
  const UniqueFd again = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd again_server = accept_at(listener);
  send_and_end(again, again_server, "served again");
}

// The new before the old: what waits at the old one is served, what runs goes on.
TEST_F(RelayNetTest, PortsAndAddressesChangeWithoutLeavingTheOthers) {
  start();
  const std::vector<DoorPlan> before = relay_first->doors();
  const UniqueFd listener = listen_at("192.0.2.80:8080");
  const UniqueFd client = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd server = accept_at(listener);
  network->first.enter();
  RelaySettings wanted = settings_of_first();
  wanted.leg_port = 9712;
  wanted.leg_addresses.push_back(ip("10.77.9.9"));  // this machine does not have it yet
  const UniqueFd other = open_listener({.address = at("10.77.0.1:9712")}).value();
  EXPECT_EQ(open_doors(wanted, relay_first->doors()).error().os_errno, EADDRINUSE);
  EXPECT_EQ(relay_first->doors(), before);
  wanted.leg_port = 9722;
  auto opened = open_doors(wanted, relay_first->doors());
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(opened->size(), 3U) << "and not those for clients";
  EXPECT_FALSE(open_listener({.address = at("10.77.0.1:9702")})) << "the old one is still there";
  relay_first->apply(wanted, *std::move(opened));
  EXPECT_EQ(relay_first->doors(), doors_of(wanted));
  EXPECT_TRUE(open_listener({.address = at("10.77.0.1:9702")}));
  const UniqueFd leg = connect_from(network->last, "10.77.0.1:9722");
  EXPECT_TRUE(until([&] { return relay_first->snapshot().accepted_legs == 1; }));
  send_and_end(client, server, "goes on");
  const UniqueFd next = connect_from(network->client, "192.0.2.80:8080");
  EXPECT_TRUE(until([&] { return relay_first->snapshot().accepted_clients == 2; }));
}

TEST_F(RelayNetTest, ANewPolicyEndsWhatItRefusesAndNothingElse) {
  start();
  const UniqueFd listener = listen_at("192.0.2.80:8080");
  const UniqueFd other_listener = listen_at("192.0.2.80:8081");
  const UniqueFd client = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd other = connect_from(network->client, "192.0.2.80:8081");
  const UniqueFd server = accept_at(listener);
  const UniqueFd other_server = accept_at(other_listener);
  RelaySettings narrow = settings_of_first();
  narrow.policy =
      Policy{{{.protocol = Protocol::tcp, .ports = {{8081, 8081}}, .action = Action::relay}}};
  EXPECT_EQ(relay_first->apply(std::move(narrow)), 1U);
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_EQ(end_of(server), ECONNRESET);
  EXPECT_EQ(count(*relay_first, Outcome::revoked), 1U);
  const UniqueFd late = connect_from(network->client, "192.0.2.80:8080");
  EXPECT_EQ(end_of(late), ECONNRESET);
  EXPECT_EQ(count(*relay_first, Outcome::refused_policy), 1U);
  send_and_end(other_server, other, "still served");
  EXPECT_EQ(relay_first->apply(settings_of_first()), 0U);
}

TEST_F(RelayNetTest, APopThatIsGoneHasNoLegs) {
  start();
  const UniqueFd listener = listen_at("192.0.2.80:8080");
  const UniqueFd client = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd server = accept_at(listener);
  RelaySettings alone = settings_of_last();
  alone.pops.clear();
  EXPECT_EQ(relay_last->apply(std::move(alone)), 1U);
  EXPECT_EQ(end_of(server), ECONNRESET);
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_EQ(count(*relay_last, Outcome::revoked), 1U);
}

// The first PoP dies in the middle of a download. What the client must not see is the end of file.
TEST_F(RelayNetTest, AKilledRelayIsAReset) {
  network->last.enter();
  relay_last = Relay::create(without_proof(settings_of_last())).value();
  std::array<int, 2> ready_pipe{};
  ASSERT_EQ(::pipe(ready_pipe.data()), 0);
  const UniqueFd ready_exit{ready_pipe[0]}, ready_entry{ready_pipe[1]};
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    network->first.enter();
    const auto relay = Relay::create(settings_of_first());
    if (!relay || ::write(ready_entry.get(), "r", 1) != 1) ::_exit(1);
    for (;;) {
      pollfd ready{.fd = (*relay)->wait_fds()[0], .events = POLLIN, .revents = 0};
      ::poll(&ready, 1, 10);
      (*relay)->poll(clock.now(), 256);
    }
  }
  const UniqueFd listener = listen_at("192.0.2.80:8080");
  ASSERT_TRUE(wait_for(ready_exit.get(), POLLIN));
  const UniqueFd client = connect_from(network->client, "192.0.2.80:8080");
  const UniqueFd server = accept_at(listener);
  put(server.get(), "the first part of it");
  std::string received;
  EXPECT_TRUE(until([&] { return !(received += get(client.get()).bytes).empty(); }));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_EQ(end_of(server), ECONNRESET);
}

}  // namespace
}  // namespace tw::relay
