#include "node/http/http_server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/test_descriptors.h"
#include "wire/sockaddr.h"

namespace tw::node {
namespace {

constexpr std::string_view request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// A server at `at`, whose turns the test takes, and the clients of it.
struct Site {
  explicit Site(const char* at = "127.0.0.1:0") {
    auto made = HttpServer::listen(
        *Endpoint::parse(at), [this] { return text + std::to_string(++made_answers); }, counters);
    EXPECT_TRUE(made) << made.error().text();
    server = std::move(*made);
  }

  std::uint64_t count(HttpOutcome outcome) const {
    return counters[std::to_underlying(outcome)].value();
  }
  /// Takes turns until there is nothing to do now.
  void turns() {
    pollfd waiting{server->wait_fd(), POLLIN, 0};
    do {
      server->handle(now);
    } while (::poll(&waiting, 1, 0) > 0 || server->next_deadline() <= now);
  }
  void pass(Duration time) {
    now = now + time;
    turns();
  }
  /// A client whose address is `from`, or the family's own.
  UniqueFd connect(const char* from = nullptr) const {
    const SocketAddress to = to_sockaddr(server->local());
    UniqueFd fd{::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (from != nullptr) {
      const SocketAddress source = to_sockaddr(*Endpoint::parse(from));
      EXPECT_EQ(::bind(fd.get(), source.get(), source.length), 0);
    }
    EXPECT_EQ(::connect(fd.get(), to.get(), to.length), 0);
    return fd;
  }
  UniqueFd connect_and_say(std::string_view said, const char* from = nullptr) {
    UniqueFd fd = connect(from);
    say(fd, said);
    turns();
    return fd;
  }
  void say(const UniqueFd& fd, std::string_view said) {
    EXPECT_EQ(::send(fd.get(), said.data(), said.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(said.size()));
    turns();
  }
  std::vector<UniqueFd> crowd(std::size_t size, std::string_view said, const char* from = nullptr) {
    std::vector<UniqueFd> clients;
    while (clients.size() < size) clients.push_back(connect_and_say(said, from));
    return clients;
  }

  std::string text = "text";
  int made_answers = 0;
  Instant now{1s};  // no Clock: the sanitizer looks at virtual tables by a pipe
  HttpCounters counters;
  std::unique_ptr<HttpServer> server;
};

/// Returns the bytes that have come; "…" follows while the server has not hung up.
std::string heard(const UniqueFd& fd) {
  std::string all;
  std::array<char, 65536> octets;
  for (;;) {
    const ssize_t got = ::recv(fd.get(), octets.data(), octets.size(), MSG_DONTWAIT);
    if (got <= 0) return got < 0 && errno == EAGAIN ? all + "…" : all;
    all.append(octets.data(), static_cast<std::size_t>(got));
  }
}
bool is_answered(const UniqueFd& fd) { return heard(fd).starts_with("HTTP/1.1 200 OK\r\n"); }
bool is_hung_up_on(const UniqueFd& fd) { return !heard(fd).ends_with("…"); }

TEST(HttpServer, AnswersAndKeepsTheConnection) {
  for (const char* at : {"127.0.0.1:0", "[::1]:0"}) {
    Site site{at};
    const UniqueFd client = site.connect_and_say(request);
    const std::string answer = heard(client);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_NE(answer.find("\r\nContent-Length: 5\r\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("\r\n\r\ntext1…"), std::string::npos) << answer;
    site.pass(1s);
    site.say(client, "HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::string head = heard(client);
    EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
    EXPECT_NE(head.find("\r\nContent-Length: 5\r\n"), std::string::npos) << head;
    EXPECT_EQ(site.count(HttpOutcome::answered), 2U);
  }
}

TEST(HttpServer, SaysWhatIsWrongAndHangsUp) {
  Site site;
  for (const auto& [said, status] :
       {std::pair{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404 "},
        std::pair{"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "405 "},
        std::pair{"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", "400 "},
        std::pair{"\x16\x03\x01\r\n\r\n", "400 "}}) {
    const UniqueFd client = site.connect_and_say(said);
    const std::string answer = heard(client);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::string{status})) << answer;
    EXPECT_FALSE(answer.ends_with("…")) << answer;
  }
  EXPECT_EQ(site.count(HttpOutcome::not_found), 2U);
  EXPECT_EQ(site.count(HttpOutcome::malformed), 2U);
  EXPECT_EQ(site.made_answers, 0);
}

// The refusal is to be read, although more has come than is read.
TEST(HttpServer, RefusesAHeadThatIsTooLarge) {
  Site site;
  const UniqueFd client =
      site.connect_and_say("GET /metrics HTTP/1.1\r\nA: " + std::string(40'000, 'a'));
  site.say(client, std::string(20'000, 'a'));
  EXPECT_TRUE(heard(client).starts_with("HTTP/1.1 431 "));
  EXPECT_EQ(site.count(HttpOutcome::too_large), 1U);
  site.pass(HttpConnection::ending_time);
  const UniqueFd next = site.connect_and_say(request);
  EXPECT_TRUE(is_answered(next));
}

TEST(HttpServer, OneOctetNowAndThenGainsNoTime) {
  Site site;
  const UniqueFd silent = site.connect_and_say("\r\n"), slow = site.connect_and_say("G");
  for (int step = 0; step < 49; ++step) {
    site.now = site.now + 100ms;
    site.say(slow, "a");
  }
  EXPECT_EQ(heard(slow), "…");
  site.pass(100ms);
  EXPECT_TRUE(is_hung_up_on(slow));
  EXPECT_TRUE(is_hung_up_on(silent));
  EXPECT_EQ(site.count(HttpOutcome::slow_request), 2U);
}

TEST(HttpServer, HangsUpOnWhoReadsSlowly) {
  Site site;
  site.text = std::string(20'000'000, 'x');
  const UniqueFd client = site.connect_and_say(request);
  std::array<char, 100> octets;
  for (int step = 0; step < 9; ++step) {
    site.pass(1s);
    EXPECT_GT(::recv(client.get(), octets.data(), octets.size(), MSG_DONTWAIT), 0);
  }
  EXPECT_EQ(site.count(HttpOutcome::slow_reader), 0U);
  site.pass(1s);
  EXPECT_EQ(site.count(HttpOutcome::slow_reader), 1U);
  EXPECT_EQ(site.count(HttpOutcome::answered), 0U);
}

TEST(HttpServer, AnIdleConnectionHasItsTime) {
  Site site;
  const UniqueFd client = site.connect_and_say(request);
  EXPECT_TRUE(is_answered(client));
  site.pass(HttpConnection::idle_time - 1s);
  EXPECT_EQ(heard(client), "…");
  site.pass(1s);
  EXPECT_TRUE(is_hung_up_on(client));
}

TEST(HttpServer, RequestsAtOnceAreAnsweredInTheirOrderAndByTurns) {
  Site site;
  std::string many;
  for (int i = 0; i < 100; ++i) many += request;
  const UniqueFd greedy = site.connect();
  ASSERT_EQ(::send(greedy.get(), many.data(), many.size(), 0), static_cast<ssize_t>(many.size()));
  ASSERT_EQ(::shutdown(greedy.get(), SHUT_WR), 0);
  site.server->handle(site.now);
  const UniqueFd other = site.connect();
  ASSERT_EQ(::send(other.get(), request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  site.server->handle(site.now);
  EXPECT_TRUE(is_answered(other)) << "after 2 of the 100";
  site.turns();
  EXPECT_EQ(site.count(HttpOutcome::answered), 101U);
  EXPECT_TRUE(is_hung_up_on(greedy));
  EXPECT_EQ(site.made_answers, 1) << "within " << HttpServer::answer_age.count() << " ns";
}

TEST(HttpServer, WhoHasItsShareMakesWayForItself) {
  for (const auto& [at, from] :
       {std::pair{"127.0.0.1:0", "127.0.0.9:0"}, std::pair{"[::1]:0", "[::1]:0"}}) {
    Site site{at};
    const auto crowd = site.crowd(500, "GET /met", from);
    EXPECT_EQ(site.count(HttpOutcome::displaced), 500 - HttpServer::places_per_client);
    EXPECT_TRUE(is_hung_up_on(crowd.front()));
    EXPECT_EQ(heard(crowd.back()), "…");
    EXPECT_TRUE(is_answered(site.connect_and_say(request, from)));
  }
}

TEST(HttpServer, WhoHasMostMakesWayForOthers) {
  Site site;
  const UniqueFd honest = site.connect_and_say("GET /metrics", "127.0.0.2:0");
  std::vector<std::vector<UniqueFd>> crowds;
  for (const char* from :
       {"127.0.1.1:0", "127.0.1.2:0", "127.0.1.3:0", "127.0.1.4:0", "127.0.1.5:0", "127.0.1.6:0"}) {
    crowds.push_back(site.crowd(HttpServer::places_per_client, "GET /met", from));
  }
  EXPECT_EQ(heard(honest), "…");
  site.say(honest, " HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(is_answered(honest));
}

// As many addresses as there are places: who stands longest goes.
TEST(HttpServer, ManyAddressesDisplaceTheOldest) {
  Site site;
  std::vector<UniqueFd> crowd;
  for (int i = 1; i <= 200; ++i) {
    crowd.push_back(site.connect_and_say("GET", ("127.0.2." + std::to_string(i) + ":0").c_str()));
    site.now = site.now + 1ms;
  }
  EXPECT_TRUE(is_answered(site.connect_and_say(request)));
  EXPECT_TRUE(is_hung_up_on(crowd.front()));
}

TEST(HttpServer, SlowReadersHoldFewAnswers) {
  Site site;
  site.text = std::string(20'000'000, 'x');
  std::vector<UniqueFd> readers;
  for (std::size_t i = 0; i < HttpServer::answers_kept + 2; ++i) {
    readers.push_back(site.connect_and_say(request));
    site.pass(HttpServer::answer_age);
  }
  EXPECT_EQ(site.count(HttpOutcome::displaced), 2U);
  EXPECT_TRUE(is_hung_up_on(readers[1]));
  EXPECT_FALSE(is_hung_up_on(readers[2]));
}

TEST(HttpServer, AFailureIsSaid) {
  HttpCounters counters;
  auto server = HttpServer::listen(
      *Endpoint::parse("127.0.0.1:0"), [] { return std::string(1, std::string{}.at(1)); },
      counters);
  ASSERT_TRUE(server);
  Site site;
  std::swap(site.server, *server);
  EXPECT_TRUE(heard(site.connect_and_say(request)).starts_with("HTTP/1.1 500 "));
}

TEST(HttpServer, SaysThatThePortIsInUse) {
  const Site site;
  HttpCounters counters;
  EXPECT_FALSE(HttpServer::listen(site.server->local(), [] { return std::string{}; }, counters));
}

// Not even for a refusal is there a descriptor: the server looks again, and does not spin.
TEST(HttpServer, WithoutDescriptorsItDoesNotSpin) {
  Site site;
  const UniqueFd first = site.connect(), second = site.connect();
  for (const UniqueFd* client : {&first, &second}) {
    ASSERT_EQ(::send(client->get(), "GET", 3, MSG_NOSIGNAL), 3);
  }
  {
    const test::NoDescriptorsLeft none;
    site.turns();
  }
  EXPECT_TRUE(is_hung_up_on(first));
  EXPECT_TRUE(is_hung_up_on(second));
  EXPECT_TRUE(is_answered(site.connect_and_say(request)));
}

}  // namespace
}  // namespace tw::node
