#include "port/emulated/byte_fifo.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "base/random.h"

namespace tw {
namespace {

TEST(ByteFifo, RefusesWhatDoesNotFitAndStaysWhole) {
  ByteFifo fifo{100};
  ASSERT_FALSE(fifo.push(60).empty());
  EXPECT_TRUE(fifo.push(60).empty());
  EXPECT_EQ(fifo.front().size(), 60U);
  fifo.pop();
  EXPECT_TRUE(fifo.empty());
  EXPECT_TRUE(fifo.push(93).empty());  // with its size in front it is one byte too long
  EXPECT_FALSE(fifo.push(92).empty());
}

TEST(ByteFifo, AgreesWithAListOfVectors) {
  SeededRandom random{7};
  ByteFifo fifo{4096};
  std::deque<std::vector<std::uint8_t>> naive;
  std::size_t refused = 0;
  for (int i = 0; i < 50'000; ++i) {
    if (random.next() % 2 == 0) {
      const std::size_t size = 1 + random.next() % 700;
      const ByteSpan record = fifo.push(size);
      if (record.empty()) {
        ++refused;
        ASSERT_GT(naive.size(), 0U);
      } else {
        naive.emplace_back(size, static_cast<std::uint8_t>(random.next()));
        std::ranges::copy(naive.back(), record.begin());
      }
    } else if (!naive.empty()) {
      ASSERT_TRUE(std::ranges::equal(fifo.front(), naive.front()));
      fifo.pop();
      naive.pop_front();
    }
    ASSERT_EQ(fifo.empty(), naive.empty());
  }
  EXPECT_GT(refused, 0U);
}

}  // namespace
}  // namespace tw
