#include "relay/admission/route_cache.h"

#include <gtest/gtest.h>

#include "test_network.h"

namespace tw::relay {
namespace {

// Counts the questions on their way to the kernel.
class CountedRoutes final : public RouteLookup {
 public:
  explicit CountedRoutes(int& asked) : asked_(asked) {
    auto opened = KernelRoutes::open();
    TW_ASSERT(opened.has_value());
    kernel_ = *std::move(opened);
  }
  Result<KernelRoute> ask(const IpAddress& target) noexcept override {
    ++asked_;
    return kernel_->ask(target);
  }

 private:
  int& asked_;
  std::unique_ptr<KernelRoutes> kernel_;
};

class RouteCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    machine_.enter();
    TW_ASSERT(run("ip link set lo up"));
    TW_ASSERT(run("ip link add name eth0 type veth peer name eth1"));
    TW_ASSERT(run("ip link set eth1 up"));
    TW_ASSERT(run("ip address add 192.0.2.1/24 dev eth0"));
    TW_ASSERT(run("ip address add 2001:db8::1/64 dev eth0 nodad"));
    TW_ASSERT(run("ip link set eth0 up"));
    open();
  }
  void open(std::size_t slots = RouteCache::default_slots) {
    auto opened = RouteCache::open(std::make_unique<CountedRoutes>(asked), slots);
    TW_ASSERT(opened.has_value());
    cache = *std::move(opened);
  }
  KernelRoute::Kind kind_of(std::string_view target) {
    const auto route = cache->ask(*IpAddress::parse(target));
    EXPECT_TRUE(route.has_value());
    return route ? route->kind : KernelRoute::Kind::unreachable;
  }

  // An IPv6 address becomes the machine's own a moment after it was given.
  static void await_in_kernel(std::string_view target, KernelRoute::Kind kind) {
    const auto kernel = KernelRoutes::open();
    ASSERT_TRUE(kernel.has_value());
    constexpr int tries = 1'000'000;  // seconds
    for (int i = 0; i < tries; ++i) {
      const auto route = (*kernel)->ask(*IpAddress::parse(target));
      if (route && route->kind == kind) return;
    }
    FAIL() << "the kernel has not changed its mind about " << target;
  }

  Machine machine_;
  int asked = 0;
  std::unique_ptr<RouteCache> cache;
};

using Kind = KernelRoute::Kind;

TEST_F(RouteCacheTest, TheKernelIsAskedOnce) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(kind_of("192.0.2.7"), Kind::remote);
    EXPECT_EQ(kind_of("192.0.2.1"), Kind::local);
    EXPECT_EQ(kind_of("2001:db8::7"), Kind::remote);
    EXPECT_EQ(kind_of("203.0.113.1"), Kind::unreachable);
  }
  EXPECT_EQ(asked, 4);
}

// The relay's safety: no way into this machine, under any address that is its own at that moment.
TEST_F(RouteCacheTest, AnAddressThatBecomesOursIsOursAtOnce) {
  for (const std::string address : {"192.0.2.7/32", "2001:db8::7/128"}) {
    const std::string target = address.substr(0, address.find('/'));
    EXPECT_EQ(kind_of(target), Kind::remote);
    ASSERT_TRUE(run("ip address add " + address + " dev eth0"));
    await_in_kernel(target, Kind::local);
    EXPECT_EQ(kind_of(target), Kind::local);
    ASSERT_TRUE(run("ip address del " + address + " dev eth0"));
    await_in_kernel(target, Kind::remote);
    EXPECT_EQ(kind_of(target), Kind::remote);
  }
}

TEST_F(RouteCacheTest, EveryKindOfChangeIsHeard) {
  struct Change {
    std::string command;
    Kind v4, v6;
  };
  const std::vector<Change> changes{
      {"ip route add unreachable 192.0.2.7/32", Kind::unreachable, Kind::remote},
      {"ip -6 route add unreachable 2001:db8::7/128", Kind::unreachable, Kind::unreachable},
      {"ip route del unreachable 192.0.2.7/32", Kind::remote, Kind::unreachable},
      {"ip -6 route del unreachable 2001:db8::7/128", Kind::remote, Kind::remote},
      {"ip route add local 192.0.2.7/32 dev lo table 77", Kind::remote, Kind::remote},
      {"ip rule add to 192.0.2.7 lookup 77", Kind::local, Kind::remote},
      {"ip rule del to 192.0.2.7 lookup 77", Kind::remote, Kind::remote},
      {"ip -6 rule add to 2001:db8::7 prohibit", Kind::remote, Kind::unreachable},
      {"ip -6 rule del to 2001:db8::7 prohibit", Kind::remote, Kind::remote},
      {"ip link set eth0 down", Kind::unreachable, Kind::unreachable},
  };
  EXPECT_EQ(kind_of("192.0.2.7"), Kind::remote);
  EXPECT_EQ(kind_of("2001:db8::7"), Kind::remote);
  for (const Change& change : changes) {
    ASSERT_TRUE(run(change.command)) << change.command;
    EXPECT_EQ(kind_of("192.0.2.7"), change.v4) << change.command;
    EXPECT_EQ(kind_of("2001:db8::7"), change.v6) << change.command;
  }
}

TEST_F(RouteCacheTest, MoreChangesThanTheSocketHoldsAreAChange) {
  EXPECT_EQ(kind_of("192.0.2.7"), Kind::remote);
  std::string batch;
  for (int i = 0; i < 3000; ++i) {
    batch += "route add unreachable 198.18." + std::to_string(i / 250) + "." +
             std::to_string(i % 250) + "/32\n";
  }
  batch += "route add unreachable 192.0.2.7/32\n";
  ASSERT_TRUE(run_words({"sh", "-c", "printf '" + batch + "' | ip -batch -"}));
  EXPECT_EQ(kind_of("192.0.2.7"), Kind::unreachable);
}

TEST_F(RouteCacheTest, TheLatestHasTheSlot) {
  open(1);
  EXPECT_EQ(kind_of("192.0.2.7"), Kind::remote);
  EXPECT_EQ(kind_of("192.0.2.1"), Kind::local);
  EXPECT_EQ(kind_of("192.0.2.7"), Kind::remote);
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace tw::relay
