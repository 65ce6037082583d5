// A relay allocates nothing for a connection once it has had as many at a time. Counted by the
// sanitizer that the tests are built with, over ten thousand connections. Needs root, and skips
// without it.
#include <gtest/gtest.h>
#include <sanitizer/allocator_interface.h>

#include <atomic>
#include <filesystem>
#include <iterator>
#include <vector>

#include "test_relays.h"

namespace tw::relay {
namespace {

constexpr const char* target = "192.0.2.80:8080";
constexpr std::size_t at_a_time = 20;

std::atomic<bool> counting{false};
std::atomic<std::uint64_t> allocations{0};

void on_malloc(const volatile void* /*memory*/, size_t /*bytes*/) {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}
void on_free(const volatile void* /*memory*/) {}

std::size_t threads() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator{"/proc/self/task"}, {}));
}
std::size_t descriptors() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {}));
}

class NothingCreatedTest : public TwoRelaysTest {
 protected:
  // As turn(), with what the relays allocate counted.
  void counted_turn() {
    network->first.enter();
    counting = true;
    relay_first->poll(now(), 256);
    counting = false;
    network->last.enter();
    counting = true;
    relay_last->poll(now(), 256);
    counting = false;
  }
  template <typename Done>
  bool counted_until(Done&& done) {
    const Instant end = clock.now() + 5s;
    while (clock.now() < end) {
      counted_turn();
      if (done()) return true;
    }
    return false;
  }
  // Opens so many, has each ask and be answered, and ends them in order.
  bool talk(const UniqueFd& listener, std::size_t count) {
    std::vector<UniqueFd> clients, servers;
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(connect_from(network->client, target));
    }
    const bool met = counted_until([&] {
      UniqueFd server{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (server) servers.push_back(std::move(server));
      return servers.size() == count;
    });
    if (!met) return false;
    for (const UniqueFd& client : clients) put(client.get(), "question");
    const auto ends_of = [](const std::vector<UniqueFd>& sockets, std::string_view expected) {
      return [&sockets, expected, at = std::size_t{0}, got = std::string{}]() mutable {
        for (; at < sockets.size(); ++at, got.clear()) {
          const Got more = get(sockets[at].get());
          got += more.bytes;
          if (got != expected) return false;
        }
        return true;
      };
    };
    if (!counted_until(ends_of(servers, "question"))) return false;
    for (const UniqueFd& server : servers) put(server.get(), "answer");
    if (!counted_until(ends_of(clients, "answer"))) return false;
    clients.clear();
    servers.clear();
    return counted_until([&] { return relay_first->snapshot().active == 0; });
  }
};

TEST_F(NothingCreatedTest, ForTenThousandConnections) {
  static const bool hooked = __sanitizer_install_malloc_and_free_hooks(&on_malloc, &on_free) != 0;
  ASSERT_TRUE(hooked);
  counting = true;
  const std::vector<int> seen(100);
  counting = false;
  ASSERT_EQ(allocations, 1U) << "nothing is counted, and this test says nothing";
  RelaySettings first = settings_of_first();
  first.pool.enabled = true;
  first.pool.low = 2 * at_a_time;
  RelaySettings last = settings_of_last();
  for (PopSettings* const pop : {&first.pops[0], &last.pops[0]}) {
    pop->legs = Legs::authenticated;
    pop->key = test_key();
  }
  start(first, last);
  ASSERT_TRUE(until([&] { return relay_first->snapshot().pops.at(0).warm.idle == 2 * at_a_time; }));
  const UniqueFd listener = listen_at(target);
  for (int round = 0; round < 10; ++round) ASSERT_TRUE(talk(listener, at_a_time));
  const std::size_t threads_before = threads(), descriptors_before = descriptors();
  allocations = 0;
  constexpr std::size_t rounds = 10'000 / at_a_time;
  for (std::size_t round = 0; round < rounds; ++round) {
    ASSERT_TRUE(talk(listener, at_a_time)) << round;
  }
  // A pool or a table may still have grown, once.
  EXPECT_LE(allocations, 10U) << "in " << rounds * at_a_time << " connections";
  EXPECT_EQ(threads(), threads_before);
  // Warm legs on both sides, more or less.
  EXPECT_LE(descriptors(), descriptors_before + 4 * first.pool.high);
}

}  // namespace
}  // namespace tw::relay
