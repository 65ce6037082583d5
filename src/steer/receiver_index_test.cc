#include "steer/receiver_index.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "base/random.h"

namespace tw {
namespace {

// "The SIMON and SPECK Families of Lightweight Block Ciphers", appendix C.
TEST(Speck32, AnswersTheTestVectorOfThePaper) {
  const Speck32 cipher{0x1918'1110'0908'0100U};
  EXPECT_EQ(cipher.encrypt(0x6574694cU), 0xa86842f2U);
  EXPECT_EQ(cipher.decrypt(0xa86842f2U), 0x6574694cU);
}

TEST(ReceiverIndex, CarriesItsBucket) {
  const ReceiverIndex index{0x0123456789abcdefU};
  SeededRandom random{1};
  for (int i = 0; i < 10'000; ++i) {
    const Bucket bucket{static_cast<std::uint16_t>(random.next() % Bucket::count)};
    EXPECT_EQ(index.bucket_of(index.encode(bucket, static_cast<std::uint32_t>(random.next()))),
              bucket);
  }
}

// Indices of one bucket must not share top bits, or an observer could tell clients apart.
TEST(ReceiverIndex, SpreadsOneBucketOverAllIndices) {
  const ReceiverIndex index{42};
  std::set<std::uint32_t> top_bits;
  for (std::uint32_t salt = 0; salt < 4096; ++salt) {
    top_bits.insert(index.encode(Bucket{7}, salt) >> 20U);
  }
  EXPECT_GT(top_bits.size(), 2000U);  // 4,096 balls in 4,096 bins fill about 2,589
}

// An observer of the indices of one peer, and of many, finds nothing that only the former share: no
// bit is set more often than by chance, and no two bits, nor two indices in a row, go together.
TEST(ReceiverIndex, TheIndicesOfOnePeerHaveNoCommonPattern) {
  constexpr int samples = 20'000;
  // Half of 20,000 fair coins, less or more than 2.5 % (seven deviations).
  constexpr int least = samples / 2 - 500, most = samples / 2 + 500;
  for (const std::uint16_t bucket : std::array<std::uint16_t, 4>{0, 7, 2048, 4095}) {
    const ReceiverIndex index{0x5eed'0000'0000'0000U + bucket};
    SeededRandom random{bucket + 1U};
    std::array<int, 32> ones{}, repeats{};
    std::array<std::array<int, 32>, 32> together{};
    std::uint32_t before = 0;
    for (int i = 0; i < samples; ++i) {
      const std::uint32_t now =
          index.encode(Bucket{bucket}, static_cast<std::uint32_t>(random.next()));
      for (unsigned bit = 0; bit < 32; ++bit) {
        ones[bit] += static_cast<int>(now >> bit & 1U);
        repeats[bit] += static_cast<int>((now ^ before) >> bit & 1U);
        for (unsigned other = 0; other < bit; ++other) {
          together[bit][other] += static_cast<int>((now >> bit ^ now >> other) & 1U);
        }
      }
      before = now;
    }
    for (unsigned bit = 0; bit < 32; ++bit) {
      EXPECT_TRUE(ones[bit] > least && ones[bit] < most) << bucket << ' ' << bit;
      EXPECT_TRUE(repeats[bit] > least && repeats[bit] < most) << bucket << ' ' << bit;
      for (unsigned other = 0; other < bit; ++other) {
        EXPECT_TRUE(together[bit][other] > least && together[bit][other] < most) << bit << other;
      }
    }
  }
}

TEST(ReceiverIndex, DependsOnItsKey) {
  const ReceiverIndex first{1}, second{2};
  EXPECT_NE(first.encode(Bucket{1}, 1), second.encode(Bucket{1}, 1));
}

}  // namespace
}  // namespace tw
