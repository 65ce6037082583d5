#include "base/slot_array.h"

#include <gtest/gtest.h>

#include <vector>

namespace tw {
namespace {

struct Object {
  std::uint32_t value = 7;
};
using Array = SlotArray<Object, 8>;

TEST(SlotArray, ObjectsAreFoundWhereTheyWerePutAndNowhereElse) {
  Array array{100};
  array.emplace(3).value = 30;
  array.emplace(99).value = 990;
  ASSERT_NE(array.find(3), nullptr);
  EXPECT_EQ(array.find(3)->value, 30U);
  EXPECT_EQ(array.find(99)->value, 990U);
  for (const std::uint32_t free : {0U, 2U, 4U, 50U, 98U, 100U, 1'000'000U, UINT32_MAX}) {
    EXPECT_EQ(array.find(free), nullptr) << free;
  }
}

TEST(SlotArray, ReferencesStayGoodWhileOthersComeAndGo) {
  Array array{1000};
  Object* first = &array.emplace(0);
  first->value = 1;
  for (std::uint32_t slot = 1; slot < 1000; ++slot) array.emplace(slot).value = slot;
  for (std::uint32_t slot = 1; slot < 1000; slot += 2) array.erase(slot);
  EXPECT_EQ(array.find(0), first);
  EXPECT_EQ(first->value, 1U);
  EXPECT_EQ(array.find(998)->value, 998U);
  EXPECT_EQ(array.find(999), nullptr);
}

TEST(SlotArray, AFreedSlotBeginsAnew) {
  Array array{10};
  array.emplace(5).value = 1;
  array.erase(5);
  EXPECT_EQ(array.find(5), nullptr);
  EXPECT_EQ(array.emplace(5).value, Object{}.value);
}

TEST(SlotArray, VisitsWhatIsInUseBySlot) {
  Array array{64};
  for (const std::uint32_t slot : {40U, 1U, 17U, 2U}) array.emplace(slot).value = slot;
  array.erase(17);
  std::vector<std::uint32_t> seen;
  array.for_each([&](const Object& object) { seen.push_back(object.value); });
  EXPECT_EQ(seen, (std::vector<std::uint32_t>{1, 2, 40}));
  EXPECT_GT(array.slots(), 40U);
}

TEST(SlotArrayDeathTest, RefusesASlotBeyondTheCapAndOneInUse) {
  Array array{10};
  array.emplace(9);
  EXPECT_DEATH(array.emplace(10), "");
  EXPECT_DEATH(array.emplace(9), "");
  EXPECT_DEATH(array.erase(8), "");
}

}  // namespace
}  // namespace tw
