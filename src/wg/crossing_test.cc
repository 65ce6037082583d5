// Two ends that begin a handshake at the same moment, and everything they then send delivered in
// every order there is, while the clock stands still: no retry may be needed.
#include <gtest/gtest.h>

#include <vector>

#include "wg/test_link.h"

namespace tw::wg {
namespace {

/// Counts through all sequences of choices; how many there are at a step shows when it is reached.
class Orders {
 public:
  std::size_t choose(std::size_t options) {
    if (step_ == path_.size()) path_.push_back({0, 0});
    path_[step_].options = options;
    return path_[step_++].chosen;
  }
  /// False after the last.
  bool next() {
    path_.resize(step_);
    step_ = 0;
    while (!path_.empty() && path_.back().chosen + 1 == path_.back().options) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().chosen;
    return true;
  }

 private:
  struct Step {
    std::size_t chosen, options;
  };
  std::vector<Step> path_;
  std::size_t step_ = 0;
};

class Crossing {
 public:
  Crossing(unsigned left_number, unsigned right_number)
      : left(left_number, to_right, clock), right(right_number, to_left, clock) {
    left.set_peer(right.public_key());
    right.set_peer(left.public_key());
    left.send_packet(1);
    right.send_packet(2);
  }
  void deliver(Orders& orders) {
    while (const std::size_t waiting = to_left.in_flight() + to_right.in_flight()) {
      const std::size_t at = orders.choose(waiting);
      if (at < to_left.in_flight()) {
        left.receive(to_left.take(at));
      } else {
        right.receive(to_right.take(at - to_left.in_flight()));
      }
    }
  }
  void deliver_in_order() {
    while (to_left.in_flight() + to_right.in_flight() > 0) {
      if (to_left.in_flight() > 0) left.receive(to_left.take());
      if (to_right.in_flight() > 0) right.receive(to_right.take());
    }
  }
  void exchange(std::uint64_t number) {
    left.send_packet(number);
    right.send_packet(number + 1);
    deliver_in_order();
  }
  bool agree() const {
    return left.sealed_under.first == right.sealed_under.second &&
           left.sealed_under.second == right.sealed_under.first;
  }

  SeededRandom random{1};
  ManualClock clock;
  TestLink to_left{random}, to_right{random};
  TestEnd left, right;
};

/// Every order for both orders of the public keys. Returns how many there were.
template <typename Prepare, typename Check>
std::size_t in_every_order(Prepare prepare, Check check) {
  std::size_t count = 0;
  for (const auto& [left, right] : {std::pair{1U, 2U}, std::pair{2U, 1U}}) {
    Orders orders;
    do {
      Crossing crossing{left, right};
      prepare(crossing);
      crossing.deliver(orders);
      SCOPED_TRACE("order " + std::to_string(count) + " of key " + std::to_string(left));
      check(crossing);
      ++count;
    } while (!testing::Test::HasFailure() && orders.next());
  }
  return count;
}

TEST(CrossingInitiations, NeedNoRetryInAnyOrderAndEndInOneKeypair) {
  const std::size_t orders = in_every_order([](Crossing&) {},
                                            [](Crossing& crossing) {
                                              EXPECT_TRUE(crossing.left.delivered.contains(2));
                                              EXPECT_TRUE(crossing.right.delivered.contains(1));
                                              crossing.exchange(3);
                                              crossing.exchange(5);
                                              EXPECT_EQ(crossing.left.delivered.size(), 3U);
                                              EXPECT_EQ(crossing.right.delivered.size(), 3U);
                                              crossing.exchange(7);
                                              EXPECT_TRUE(crossing.agree())
                                                  << "each end would rekey a keypair of its own";
                                            });
  EXPECT_GE(orders, 40U);
}

// The other end is one that gives its own initiation up when it answers ours.
TEST(CrossingInitiations, NeedNoRetryWithOtherImplementations) {
  const auto stock = [](Crossing& crossing) { crossing.right.is_single_minded = true; };
  const std::size_t orders = in_every_order(stock, [](Crossing& crossing) {
    EXPECT_TRUE(crossing.left.delivered.contains(2));
    EXPECT_TRUE(crossing.right.delivered.contains(1));
    crossing.exchange(3);
    crossing.exchange(5);
    EXPECT_EQ(crossing.left.delivered.size(), 3U);
    EXPECT_EQ(crossing.right.delivered.size(), 3U);
  });
  EXPECT_GE(orders, 20U);
}

// The agreement's purpose: the rekey after it drops nothing that is still on its way.
TEST(CrossingInitiations, ARekeyAfterwardsLosesNothing) {
  for (const auto& [left, right] : {std::pair{1U, 2U}, std::pair{2U, 1U}}) {
    Crossing crossing{left, right};
    crossing.deliver_in_order();
    crossing.exchange(3);
    crossing.exchange(5);
    crossing.clock.advance(rekey_after_time + 1s);
    std::uint64_t number = 7;
    for (int step = 0; step < 20; ++step) {
      // One packet of either end is always on its way while messages of the handshake are.
      crossing.left.send_packet(number++);
      crossing.right.send_packet(number++);
      if (crossing.to_left.in_flight() > 1) crossing.left.receive(crossing.to_left.take());
      if (crossing.to_right.in_flight() > 1) crossing.right.receive(crossing.to_right.take());
    }
    crossing.deliver_in_order();
    EXPECT_EQ(crossing.left.delivered.size() + crossing.right.delivered.size(), number - 1);
    EXPECT_EQ(crossing.left.established_at.size() + crossing.right.established_at.size(), 6U);
  }
}

}  // namespace
}  // namespace tw::wg
