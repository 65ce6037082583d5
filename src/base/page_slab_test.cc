#include "base/page_slab.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace tw {
namespace {

constexpr std::size_t block_bytes = 1128;

/// A block that says whose it is, from end to end.
struct Marked {
  void* block;
  std::uint8_t mark;
  bool is_whole() const {
    const auto* bytes = static_cast<const std::uint8_t*>(block);
    for (std::size_t i = 0; i < block_bytes; ++i) {
      if (bytes[i] != mark) return false;
    }
    return true;
  }
};

Marked take(PageSlab& slab, std::uint8_t mark) {
  void* block = slab.take();
  EXPECT_NE(block, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0U);
  std::memset(block, mark, block_bytes);
  return {block, mark};
}

TEST(PageSlab, BlocksNeverOverlapWhateverComesAndGoes) {
  PageSlab slab{block_bytes};
  std::mt19937 random{1};
  std::vector<Marked> out;
  for (int step = 0; step < 20'000; ++step) {
    if (out.empty() || random() % 5 < 3) {
      out.push_back(take(slab, static_cast<std::uint8_t>(random())));
    } else {
      std::swap(out[random() % out.size()], out.back());
      ASSERT_TRUE(out.back().is_whole());
      slab.give_back(out.back().block);
      out.pop_back();
    }
    if (out.size() > 500) {
      for (const Marked& marked : out) {
        ASSERT_TRUE(marked.is_whole());
        slab.give_back(marked.block);
      }
      out.clear();
    }
  }
  for (const Marked& marked : out) slab.give_back(marked.block);
}

TEST(PageSlab, GivesItsPagesBackAndKeepsOneChunk) {
  PageSlab slab{block_bytes};
  EXPECT_EQ(slab.bytes(), 0U);
  std::vector<void*> blocks;
  for (int i = 0; i < 1'000; ++i) blocks.push_back(slab.take());
  // No more than a chunk's remainder is wasted.
  EXPECT_LT(slab.bytes(), blocks.size() * block_bytes * 11 / 10);
  for (void* block : blocks) slab.give_back(block);
  EXPECT_EQ(slab.bytes(), PageSlab::chunk_bytes);
}

TEST(PageSlab, UsesWhatCameBackBeforeItGrows) {
  PageSlab slab{block_bytes};
  std::vector<void*> blocks;
  for (int i = 0; i < 500; ++i) blocks.push_back(slab.take());
  const std::size_t bytes = slab.bytes();
  for (std::size_t i = 0; i < blocks.size(); i += 2) slab.give_back(blocks[i]);
  for (std::size_t i = 0; i < blocks.size(); i += 2) blocks[i] = slab.take();
  EXPECT_EQ(slab.bytes(), bytes);
  for (void* block : blocks) slab.give_back(block);
}

TEST(PageSlab, ServesSeveralThreads) {
  PageSlab slab{block_bytes};
  std::vector<std::thread> threads;
  for (std::uint8_t mark = 1; mark <= 4; ++mark) {
    threads.emplace_back([&slab, mark] {
      for (int round = 0; round < 20; ++round) {
        std::vector<Marked> out;
        for (int i = 0; i < 100; ++i) out.push_back(take(slab, mark));
        for (const Marked& marked : out) {
          EXPECT_TRUE(marked.is_whole());
          slab.give_back(marked.block);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(slab.bytes(), PageSlab::chunk_bytes);
}

TEST(PageSlabDeathTest, RefusesToGoWhileBlocksAreOut) {
  EXPECT_DEATH(
      {
        PageSlab slab{block_bytes};
        static_cast<void>(slab.take());
      },
      "");
}

}  // namespace
}  // namespace tw
