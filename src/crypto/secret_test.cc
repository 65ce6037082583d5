#include "crypto/secret.h"

#include <gtest/gtest.h>

#include <new>
#include <set>
#include <utility>

#include "crypto/test_vectors.h"

namespace tw::crypto {
namespace {

std::array<std::uint8_t, 32> counting_key() {
  std::array<std::uint8_t, 32> key{};
  for (std::size_t at = 0; at < key.size(); ++at) key[at] = static_cast<std::uint8_t>(at + 1);
  return key;
}

TEST(Secret, IsWipedWhenItGoes) {
  alignas(Secret<32>) std::array<unsigned char, sizeof(Secret<32>)> memory{};
  auto* secret = new (memory.data()) Secret<32>{counting_key()};
  EXPECT_EQ(memory[31], 32);
  secret->~Secret();
  for (const unsigned char byte : memory) EXPECT_EQ(byte, 0);
}

TEST(Secret, AMoveLeavesNothingBehind) {
  Secret<32> first{counting_key()};
  Secret<32> second{std::move(first)};
  EXPECT_TRUE(first.is_zero());  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(second == Secret<32>{counting_key()});
  Secret<32> third;
  third = std::move(second);
  EXPECT_TRUE(second.is_zero());  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(third == Secret<32>{counting_key()});
  Secret<32>& same = third;
  third = std::move(same);
  EXPECT_FALSE(third.is_zero());
}

TEST(Secret, ComparesByContents) {
  Secret<32> left{counting_key()};
  const Secret<32> right{counting_key()};
  EXPECT_TRUE(left == right);
  left.span()[31] ^= 1U;
  EXPECT_FALSE(left == right);
  EXPECT_FALSE(left.is_zero());
  EXPECT_TRUE(Secret<32>{}.is_zero());
}

TEST(Equal, DiffersByLengthToo) {
  const auto key = counting_key();
  EXPECT_TRUE(equal(key, key));
  EXPECT_FALSE(equal(key, ByteView{key}.first(31)));
  EXPECT_TRUE(equal({}, {}));
}

TEST(RandomBytes, FillsEveryByteAndRepeatsNothing) {
  std::set<std::vector<std::uint8_t>> seen;
  std::array<bool, 300> touched{};
  for (int round = 0; round < 20; ++round) {
    std::vector<std::uint8_t> bytes(300);  // more than getrandom(2) promises in one call
    random_bytes(bytes);
    for (std::size_t at = 0; at < bytes.size(); ++at) touched[at] |= bytes[at] != 0;
    EXPECT_TRUE(seen.insert(bytes).second);
  }
  for (const bool byte_touched : touched) EXPECT_TRUE(byte_touched);
}

TEST(KeyText, TakesWhatItMade) {
  const auto key = counting_key();
  const std::string text = key_to_base64(key);
  EXPECT_EQ(text, "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=");
  EXPECT_EQ(key_from_base64(text), key);
}

TEST(KeyText, CoversTheWholeAlphabet) {
  std::array<std::uint8_t, 32> key{};
  std::set<char> letters;
  for (std::size_t start = 0; start < 256; ++start) {
    for (std::size_t at = 0; at < key.size(); ++at) {
      key[at] = static_cast<std::uint8_t>(start * 37 + at * 101);
    }
    const std::string text = key_to_base64(key);
    letters.insert(text.begin(), text.end());
    ASSERT_EQ(key_from_base64(text), key);
  }
  EXPECT_EQ(letters.size(), 65U);
}

TEST(KeyText, RefusesEverythingElse) {
  const std::string good = key_to_base64(counting_key());
  EXPECT_FALSE(key_from_base64(""));
  EXPECT_FALSE(key_from_base64(good.substr(1)));
  EXPECT_FALSE(key_from_base64(good + "="));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char wrong : {' ', '\n', '-', '_', '\0', '\x7f', '\xff', '@', '[', '`', '{', '='}) {
      std::string text = good;
      text[at] = wrong;
      EXPECT_EQ(key_from_base64(text).has_value(), text == good) << at << " " << int{wrong};
    }
  }
  // The last character holds four bits of the key: the other two must be zero.
  std::string text = good;
  text[42] = static_cast<char>(text[42] + 1);
  EXPECT_FALSE(key_from_base64(text));
}

}  // namespace
}  // namespace tw::crypto
