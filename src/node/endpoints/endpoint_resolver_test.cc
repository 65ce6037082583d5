#include "node/endpoints/endpoint_resolver.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

namespace tw::node {
namespace {

constexpr std::chrono::milliseconds patience{10'000};

Endpoint at(std::string_view text) { return Endpoint::parse(text).value(); }
bool readable(const EndpointResolver& resolver) {
  pollfd waiting{resolver.wait_fd(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) > 0;
}

std::unique_ptr<EndpointResolver> start(EndpointResolver::Ask lookup) {
  auto resolver = EndpointResolver::start(std::move(lookup));
  EXPECT_TRUE(resolver);
  return std::move(*resolver);
}

TEST(EndpointResolver, AnswersEachNameInOrder) {
  const auto resolver = start([](const EndpointName& name) -> std::optional<Endpoint> {
    if (name.host == "nobody") return std::nullopt;
    return Endpoint{*IpAddress::parse("192.0.2.1"), name.port, 0};
  });
  EXPECT_FALSE(readable(*resolver));
  EXPECT_TRUE(resolver->take().empty());
  resolver->ask({"one", 1});
  resolver->ask({"nobody", 2});
  ASSERT_TRUE(resolver->settle(patience));
  EXPECT_TRUE(readable(*resolver));
  const auto answers = resolver->take();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].name, (EndpointName{"one", 1}));
  EXPECT_EQ(answers[0].endpoint, at("192.0.2.1:1"));
  EXPECT_EQ(answers[1].endpoint, std::nullopt);
  EXPECT_FALSE(readable(*resolver));
}

// A name server that is silent holds up nobody: not who asks, not who gives up waiting, not the
// end.
TEST(EndpointResolver, NeverWaitsForALookUp) {
  auto gate = std::make_shared<std::promise<void>>();
  auto asked = std::make_shared<std::atomic<int>>(0);
  const std::shared_future<void> open = gate->get_future().share();
  auto resolver = start([open, asked](const EndpointName&) -> std::optional<Endpoint> {
    ++*asked;
    open.wait();
    return std::nullopt;
  });
  resolver->ask({"silent", 1});
  resolver->ask({"silent", 1});
  EXPECT_FALSE(resolver->settle(std::chrono::milliseconds{1}));
  EXPECT_TRUE(resolver->take().empty());
  resolver->ask({"silent", 1});
  gate->set_value();
  ASSERT_TRUE(resolver->settle(patience));
  EXPECT_EQ(resolver->take().size(), 1U);
  EXPECT_EQ(*asked, 1) << "what was under way was not asked for again";
  resolver->ask({"silent", 1});
  ASSERT_TRUE(resolver->settle(patience));
  EXPECT_EQ(*asked, 2) << "but afterwards it may be";
}

// The end waits for no look-up: neither for the one that is under way nor for those that were asked
// for. The thread ends when its look-up does, and asks for no other.
TEST(EndpointResolver, EndsWhileALookUpIsUnderWay) {
  struct Server {
    std::promise<void> begun, gate;
    std::atomic<int> asked{0};
  };
  const auto server = std::make_shared<Server>();
  std::unique_ptr<EndpointResolver> resolver =
      start([server](const EndpointName&) -> std::optional<Endpoint> {
        if (++server->asked == 1) {
          server->begun.set_value();
          server->gate.get_future().wait();
        }
        return std::nullopt;
      });
  for (std::uint16_t port = 1; port <= 100; ++port) resolver->ask({"silent", port});
  server->begun.get_future().wait();
  resolver.reset();
  server->gate.set_value();
  while (server.use_count() > 1) std::this_thread::yield();  // until the thread has ended
  EXPECT_EQ(server->asked, 1);
}

TEST(EndpointResolver, AsksTheSystem) {
  EXPECT_EQ(resolve_endpoint({"192.0.2.7", 9}), at("192.0.2.7:9"));
  EXPECT_EQ(resolve_endpoint({"2001:db8::7", 9}), at("[2001:db8::7]:9"));
  const Lookup local = look_up_endpoint({"fe80::7%lo", 9});
  ASSERT_TRUE(local.endpoint) << local.text();
  EXPECT_EQ(local.endpoint->scope_id, ::if_nametoindex("lo"));
  EXPECT_EQ(resolve_endpoint({"fe80::7%no-such-link", 9}), std::nullopt);
  EXPECT_EQ(resolve_endpoint({"name.invalid.", 9}), std::nullopt);
}

}  // namespace
}  // namespace tw::node
