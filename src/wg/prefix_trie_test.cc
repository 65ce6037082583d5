#include "wg/prefix_trie.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace tw::wg {
namespace {

// Prefixes that come and go leave no nodes behind: a table's memory is bounded by what is in it.
TEST(PrefixTrie, KeepsNoNodeThatJoinsNothing) {
  SeededRandom random{5};
  PrefixTrie trie;
  for (int step = 0; step < 20'000; ++step) {
    const TrieKey key{random.next() & 0xf0f0'0000'0000'0000U, 0};
    const auto length = static_cast<unsigned>(random.next() % 17);
    const PeerId peer{static_cast<std::uint32_t>(random.next() % 4)};
    if (random.next() % 2 == 0) {
      trie.insert(key, length, peer);
    } else {
      trie.remove(key, length, peer);
    }
    if (random.next() % 500 == 0) trie.remove_peer(peer);
    ASSERT_LE(trie.node_count(), trie.size() == 0 ? 0 : 2 * trie.size() - 1) << step;
  }
  for (std::uint32_t peer = 0; peer < 4; ++peer) trie.remove_peer(PeerId{peer});
  EXPECT_EQ(trie.node_count(), 0U);
}

TEST(PrefixTrie, FindsAllBitsOfAnAddress) {
  PrefixTrie trie;
  trie.insert({~0ULL, ~0ULL}, 128, PeerId{1});
  trie.insert({~0ULL, ~0ULL - 1}, 128, PeerId{2});
  trie.insert({~0ULL, 0}, 64, PeerId{3});
  EXPECT_EQ(trie.lookup({~0ULL, ~0ULL}), PeerId{1});
  EXPECT_EQ(trie.lookup({~0ULL, ~0ULL - 1}), PeerId{2});
  EXPECT_EQ(trie.lookup({~0ULL, ~0ULL - 2}), PeerId{3});
  EXPECT_EQ(trie.lookup({~0ULL - 1, ~0ULL}), std::nullopt);
}

}  // namespace
}  // namespace tw::wg
