#include "steer/receiver_index.h"

#include <gtest/gtest.h>

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

// What an observer sees of one bucket must not share its top bits, or clients could be told apart.
TEST(ReceiverIndex, SpreadsOneBucketOverAllIndices) {
  const ReceiverIndex index{42};
  std::set<std::uint32_t> top_bits;
  for (std::uint32_t salt = 0; salt < 4096; ++salt) {
    top_bits.insert(index.encode(Bucket{7}, salt) >> 20U);
  }
  EXPECT_GT(top_bits.size(), 2000U);  // 4,096 balls in 4,096 bins fill about 2,589
}

TEST(ReceiverIndex, DependsOnItsKey) {
  const ReceiverIndex first{1}, second{2};
  EXPECT_NE(first.encode(Bucket{1}, 1), second.encode(Bucket{1}, 1));
}

}  // namespace
}  // namespace tw
