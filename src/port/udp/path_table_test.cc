// Tests what is remembered of the ways to destinations, for how long, and of which of them.
#include "port/udp/path_table.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace tw {
namespace {

struct Asked {
  std::vector<PathQuestion> questions;
  std::function<std::optional<Path>(const PathQuestion&)> answer = [](const PathQuestion&) {
    return Path{.device = 2, .route_mtu = 0};
  };
};

class Lookup final : public PathLookup {
 public:
  explicit Lookup(Asked& asked) : asked_(asked) {}
  std::optional<Path> ask(const PathQuestion& question) noexcept override {
    asked_.questions.push_back(question);
    return asked_.answer(question);
  }

 private:
  Asked& asked_;
};

Train train_to(const std::string& target, const LocalAddress& local = {}) {
  Train train;
  train.destination = *Endpoint::parse(target);
  train.local = local;
  return train;
}
LocalAddress local(const char* address, std::uint32_t device) {
  return {*IpAddress::parse(address), device};
}

class PathTableTest : public ::testing::Test {
 protected:
  Asked asked_;
  PathChanges changes_;
  PathTable table_{std::make_unique<Lookup>(asked_), &changes_, 51820};
};

TEST_F(PathTableTest, AsksOnceADestinationUntilSomethingChanges) {
  const Train first = train_to("192.0.2.1:1"), second = train_to("192.0.2.1:2");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(table_.find(first).path.device, 2U);
    EXPECT_EQ(table_.find(second).path.device, 2U);
  }
  ASSERT_EQ(asked_.questions.size(), 2U);
  EXPECT_EQ(asked_.questions[0].own_port, 51820);
  changes_.generation.fetch_add(1);
  table_.find(first);
  table_.find(first);
  EXPECT_EQ(asked_.questions.size(), 3U);
  table_.set_fwmark(7);
  table_.find(first);
  ASSERT_EQ(asked_.questions.size(), 4U);
  EXPECT_EQ(asked_.questions[3].fwmark, 7U);
}

// A source goes with the device that it was learned from, in both families.
TEST_F(PathTableTest, ASourceHoldsWhileItsDeviceIsTheWay) {
  for (const auto& [target, source] :
       {std::pair{"192.0.2.1:1", "198.51.100.1"}, {"[2001:db8::1]:1", "2001:db8:2::1"}}) {
    EXPECT_TRUE(table_.find(train_to(target, local(source, 2))).source_holds);
    const PathTable::Entry& other = table_.find(train_to(target, local(source, 3)));
    EXPECT_FALSE(other.source_holds);
    EXPECT_EQ(other.path.device, 2U);
    EXPECT_FALSE(asked_.questions.back().source.known());  // the way without it
  }
}

TEST_F(PathTableTest, ASourceComesBackWithItsRoute) {
  const Train train = train_to("192.0.2.1:1", local("198.51.100.1", 3));
  EXPECT_FALSE(table_.find(train).source_holds);
  asked_.answer = [](const PathQuestion&) { return Path{.device = 3, .route_mtu = 0}; };
  changes_.generation.fetch_add(1);
  EXPECT_TRUE(table_.find(train).source_holds);
}

// Not to be able to ask is no reason to change anything.
TEST_F(PathTableTest, WithoutAnAnswerAllIsAsItWas) {
  asked_.answer = [](const PathQuestion&) { return std::optional<Path>{}; };
  changes_.tunnel_device = 2;
  const PathTable::Entry& entry = table_.find(train_to("192.0.2.1:1", local("198.51.100.1", 3)));
  EXPECT_TRUE(entry.source_holds);
  EXPECT_FALSE(entry.is_loop);
}

TEST_F(PathTableTest, AWayIntoTheTunnelItselfIsALoop) {
  changes_.tunnel_device = 2;
  EXPECT_TRUE(table_.find(train_to("192.0.2.1:1")).is_loop);
  changes_.tunnel_device = 0;  // moved to another namespace
  changes_.generation.fetch_add(1);
  EXPECT_FALSE(table_.find(train_to("192.0.2.1:1")).is_loop);
}

TEST_F(PathTableTest, ARefusalIsOneDestinationsAndEnds) {
  const Train bad = train_to("192.0.2.1:1"), good = train_to("192.0.2.2:1");
  PathTable::refused(table_.find(bad), 1452);
  EXPECT_TRUE(table_.find(bad).wants_singles(1452));
  EXPECT_TRUE(table_.find(bad).wants_singles(1472));
  EXPECT_FALSE(table_.find(bad).wants_singles(1000));
  EXPECT_FALSE(table_.find(good).wants_singles(1452));
  EXPECT_EQ(table_.find(bad).singles_left, PathTable::singles_before_retry);
  changes_.generation.fetch_add(1);
  EXPECT_FALSE(table_.find(bad).wants_singles(1452));
}

TEST_F(PathTableTest, TheRoutesMtuCutsWhatIsLongerWithItsHeaders) {
  asked_.answer = [](const PathQuestion&) { return Path{.device = 2, .route_mtu = 1300}; };
  const PathTable::Entry& entry = table_.find(train_to("192.0.2.1:1"));
  EXPECT_FALSE(entry.is_cut_by_route(1272));
  EXPECT_TRUE(entry.is_cut_by_route(1273));
}

// A flood of forged senders is asked about a little, and remembered not at all.
TEST_F(PathTableTest, WhoHasProvedNothingLeavesNoMark) {
  Train known = train_to("192.0.2.1:1");
  PathTable::refused(table_.find(known), 1000);
  for (int i = 0; i < 50'000; ++i) {
    Train train = train_to("203.0.113.1:" + std::to_string(1 + i));
    train.unproven = true;
    EXPECT_FALSE(table_.find(train).is_loop);
  }
  EXPECT_EQ(asked_.questions.size(), 1U + PathTable::unproven_questions);
  EXPECT_TRUE(table_.find(known).wants_singles(1000));
  table_.begin_turn();
  known.destination.port = 2;
  known.unproven = true;
  table_.find(known);
  table_.find(known);
  EXPECT_EQ(asked_.questions.size(), 3U + PathTable::unproven_questions);
}

TEST_F(PathTableTest, ThousandsFindRoomAndMoreThanThatOnlyForget) {
  constexpr unsigned peers = 4000;
  const auto ask_all = [&](unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      const std::string address = "10." + std::to_string(i >> 16U) + '.' +
                                  std::to_string((i >> 8U) & 255U) + '.' + std::to_string(i & 255U);
      EXPECT_EQ(table_.find(train_to(address + ":51820")).target.text(), address + ":51820");
    }
  };
  ask_all(peers);
  EXPECT_EQ(asked_.questions.size(), peers);
  ask_all(peers);
  EXPECT_LE(asked_.questions.size(), peers + peers / 20);  // some share a set with four others
  ask_all(3 * PathTable::entries_max);
  EXPECT_LE(asked_.questions.size(), 2 * peers + 3 * PathTable::entries_max);
}

}  // namespace
}  // namespace tw
