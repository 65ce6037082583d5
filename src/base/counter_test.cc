#include "base/counter.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>
#include <thread>

namespace tw {
namespace {

TEST(DropNames, EachReasonHasItsOwnNameThatAMetricCanTake) {
  std::set<std::string_view> names;
  for (const std::string_view name : drop_names) {
    EXPECT_FALSE(name.empty());
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789"), name.npos) << name;
    names.insert(name);
  }
  EXPECT_EQ(names.size(), drop_count);
}

// The list of names is beside the list of reasons, in the same order: a few in its whole length.
TEST(DropNames, AreInTheOrderOfTheReasons) {
  EXPECT_EQ(name_of(Drop::malformed), "malformed");
  EXPECT_EQ(name_of(Drop::no_keypair), "no_keypair");
  EXPECT_EQ(name_of(Drop::malformed_inner), "malformed_inner");
  EXPECT_EQ(name_of(Drop::no_endpoint), "no_endpoint");
  EXPECT_EQ(name_of(Drop::queue_full), "queue_full");
  EXPECT_EQ(name_of(Drop::shutdown), "shutdown");
}

TEST(DropCounters, CountByReason) {
  DropCounters drops;
  EXPECT_EQ(drops.total(), 0U);
  drops.add(Drop::replayed);
  drops.add(Drop::replayed, 4);
  drops.add(Drop::shutdown, 2);
  EXPECT_EQ(drops.of(Drop::replayed), 5U);
  EXPECT_EQ(drops.of(Drop::shutdown), 2U);
  EXPECT_EQ(drops.of(Drop::malformed), 0U);
  EXPECT_EQ(drops.total(), 7U);
}

TEST(Counter, AReaderSeesItGrowAndNeverTorn) {
  Counter counter;
  constexpr std::uint64_t step = 0x0000000100000001U, steps = 50'000;
  std::thread writer{[&counter] {
    for (std::uint64_t i = 0; i < steps; ++i) counter.add(step);
  }};
  std::uint64_t last = 0;
  bool grows = true, whole = true;
  while (last < step * steps && grows && whole) {
    const std::uint64_t value = counter.value();
    grows = value >= last;
    whole = value % step == 0;
    last = value;
    std::this_thread::yield();
  }
  writer.join();
  EXPECT_TRUE(grows);
  EXPECT_TRUE(whole);
  EXPECT_EQ(counter.value(), step * steps);
}

}  // namespace
}  // namespace tw
