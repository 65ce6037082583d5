// Engines are assembly, which no sanitizer sees. So each byte they may not touch lies on a page
// that nobody may touch.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "crypto/primitives.h"
#include "crypto/test_engines.h"

namespace tw::crypto {
namespace {

/// Memory whose first or last bytes border on a page without access.
class GuardedPages {
 public:
  explicit GuardedPages(std::size_t size)
      : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))),
        inside_((size + page_ - 1) / page_ * page_),
        base_(static_cast<std::uint8_t*>(
            mmap(nullptr, inside_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    EXPECT_EQ(mprotect(base_ + page_, inside_, PROT_READ | PROT_WRITE), 0);
  }
  GuardedPages(const GuardedPages&) = delete;
  GuardedPages& operator=(const GuardedPages&) = delete;
  ~GuardedPages() { munmap(base_, inside_ + 2 * page_); }

  std::uint8_t* first() const noexcept { return base_ + page_; }
  std::uint8_t* last(std::size_t size) const noexcept { return base_ + page_ + inside_ - size; }
  void make_read_only() const { EXPECT_EQ(mprotect(base_ + page_, inside_, PROT_READ), 0); }

 private:
  std::size_t page_;
  std::size_t inside_;
  std::uint8_t* base_;
};

class AeadMemory : public EachEngine {
 protected:
  static constexpr std::uint32_t longest = 16384;
  AeadMemory() {
    for (std::uint32_t length = 0; length <= 1100; ++length) lengths_.push_back(length);
    for (std::uint32_t length :
         {1408U, 1420U, 1424U, 1452U, 1453U, 2047U, 2048U, 2049U, 4096U, 9000U, 16383U, 16384U}) {
      lengths_.push_back(length);
    }
    // The key lies at the end of its page, and may not be written either.
    key_ = new (key_pages_.last(sizeof(SymmetricKey))) SymmetricKey{};
    random_bytes(key_->span());
    key_pages_.make_read_only();
  }

  /// Seals and opens at `text`, beyond whose 16 bytes of tag, or before which, there is nothing.
  void round_trip(std::uint8_t* text, std::uint32_t length) {
    std::memset(text, 0x5a, length + 16);
    AeadJob job{.key = key_, .counter = length, .text = text, .length = length};
    seal_all({&job, 1});
    std::vector<std::uint8_t> expected(length + 16);
    seal(*key_, length, std::vector<std::uint8_t>(length, 0x5a), {}, expected);
    ASSERT_EQ(std::memcmp(text, expected.data(), length + 16), 0) << length;
    open_all({&job, 1});
    ASSERT_TRUE(job.authentic) << length;
    ASSERT_TRUE(std::all_of(text, text + length, [](auto b) { return b == 0x5a; })) << length;
    ASSERT_EQ(std::memcmp(text + length, expected.data() + length, 16), 0) << "opening is no write";
    job.counter += 1;
    open_all({&job, 1});
    ASSERT_FALSE(job.authentic) << length;
    ASSERT_TRUE(std::all_of(text, text + length, [](auto b) { return b == 0; })) << length;
  }

  GuardedPages text_pages_{longest + 16};
  GuardedPages key_pages_{sizeof(SymmetricKey)};
  SymmetricKey* key_ = nullptr;
  std::vector<std::uint32_t> lengths_;
};

TEST_P(AeadMemory, NothingBehindTheTagIsTouched) {
  for (const std::uint32_t length : lengths_) {
    ASSERT_NO_FATAL_FAILURE(round_trip(text_pages_.last(length + 16), length));
  }
}

TEST_P(AeadMemory, NothingBeforeTheTextIsTouched) {
  for (const std::uint32_t length : lengths_) {
    ASSERT_NO_FATAL_FAILURE(round_trip(text_pages_.first(), length));
  }
}

// In a train the packets stand close together: what a vector writes too far is the next one's.
TEST_P(AeadMemory, NeighboursInABufferAreLeftAlone) {
  std::vector<AeadJob> jobs;
  std::uint8_t* at = text_pages_.first();
  std::uint8_t* const end = text_pages_.last(0);
  for (std::uint32_t length = 0; at + length + 17 <= end; length += 37) {
    std::memset(at, static_cast<int>(length % 251), length + 16);
    at[length + 16] = 0xee;
    jobs.push_back({.key = key_, .counter = length, .text = at, .length = length});
    at += length + 17;
  }
  seal_all(jobs);
  open_all(jobs);
  for (const AeadJob& job : jobs) {
    EXPECT_TRUE(job.authentic) << job.length;
    EXPECT_EQ(job.text[job.length + 16], 0xee) << job.length;
    const auto filled = static_cast<std::uint8_t>(job.length % 251);
    EXPECT_TRUE(std::all_of(job.text, job.text + job.length, [&](auto b) { return b == filled; }));
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, AeadMemory, testing::ValuesIn(engine_names()),
                         [](const auto& run) { return test_name_of(run.param); });

}  // namespace
}  // namespace tw::crypto
