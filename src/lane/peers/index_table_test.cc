#include "lane/peers/index_table.h"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>
#include <vector>

namespace tw::lane {
namespace {

constexpr wg::PeerId peer(std::uint32_t value) { return wg::PeerId{value}; }

TEST(IndexTable, AnEmptyOneFindsNothing) {
  IndexTable table;
  EXPECT_EQ(table.find(0), std::nullopt);
  EXPECT_EQ(table.find(UINT32_MAX), std::nullopt);
  table.erase(5);
  EXPECT_EQ(table.size(), 0U);
}

TEST(IndexTable, EveryIndexIsPossible) {
  IndexTable table;
  for (const std::uint32_t index : {0U, 1U, UINT32_MAX}) table.insert(index, peer(index % 7));
  EXPECT_EQ(table.find(0), peer(0));
  EXPECT_EQ(table.find(1), peer(1));
  EXPECT_EQ(table.find(UINT32_MAX), peer(UINT32_MAX % 7));
  EXPECT_EQ(table.find(2), std::nullopt);
}

TEST(IndexTable, TheSameIndexAgainChangesItsPeer) {
  IndexTable table;
  table.insert(9, peer(1));
  table.insert(9, peer(2));
  EXPECT_EQ(table.find(9), peer(2));
  EXPECT_EQ(table.size(), 1U);
}

// Against the library's map, over a range so small that entries crowd, with as many of them as
// were reserved.
TEST(IndexTable, AgreesWithAMapThroughInsertionsAndRemovals) {
  std::mt19937 random{1};
  for (const std::uint32_t range : {80U, 1'000U, UINT32_MAX}) {
    IndexTable table;
    table.reserve(63);
    std::unordered_map<std::uint32_t, std::uint32_t> model;
    std::vector<std::uint32_t> used;
    for (std::uint32_t step = 0; step < 20'000; ++step) {
      const bool takes_old = !used.empty() && random() % 2 == 0;
      const std::uint32_t index =
          takes_old ? used[random() % used.size()] : static_cast<std::uint32_t>(random()) % range;
      if (random() % 2 == 0 && model.size() < 63) {
        table.insert(index, peer(step));
        model[index] = step;
        used.push_back(index);
      } else {
        table.erase(index);
        model.erase(index);
      }
      ASSERT_EQ(table.size(), model.size());
      const auto expected = model.find(index);
      ASSERT_EQ(table.find(index).has_value(), expected != model.end());
    }
    for (const std::uint32_t index : used) {
      const auto expected = model.find(index);
      const auto found = table.find(index);
      ASSERT_EQ(found.has_value(), expected != model.end());
      if (found) {
        ASSERT_EQ(found->value, expected->second);
      }
    }
  }
}

TEST(IndexTable, GrowsWhenMoreComeThanWereReserved) {
  IndexTable table;
  for (std::uint32_t i = 0; i < 10'000; ++i) table.insert(i << 12U, peer(i));
  for (std::uint32_t i = 0; i < 10'000; ++i) ASSERT_EQ(table.find(i << 12U), peer(i));
  EXPECT_EQ(table.size(), 10'000U);
}

}  // namespace
}  // namespace tw::lane
