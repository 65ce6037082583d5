#include "crypto/aead_engine.h"

#include <gtest/gtest.h>

#include <vector>

#include "crypto/primitives.h"

namespace tw::crypto {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Packets of several keys and all awkward lengths in one batch.
class AeadEngineTest : public testing::Test {
 protected:
  AeadEngineTest() {
    for (SymmetricKey& key : keys_) random_bytes(key.span());
    for (std::uint32_t length : {0U, 1U, 15U, 16U, 17U, 63U, 64U, 65U, 1420U, 9000U}) {
      Bytes text(length + 16U);
      for (std::size_t at = 0; at < length; ++at) text[at] = static_cast<std::uint8_t>(at * 7);
      plain_.push_back(text);
    }
    texts_ = plain_;
    for (std::size_t at = 0; at < texts_.size(); ++at) {
      jobs_.push_back({.key = &keys_[at % keys_.size()],
                       .counter = std::uint64_t{1} << (6 * at),
                       .text = texts_[at].data(),
                       .length = static_cast<std::uint32_t>(texts_[at].size() - 16)});
    }
  }
  void seal_all() {
    engine_->submit_seal(jobs_);
    engine_->complete();
  }
  void open_all() {
    engine_->submit_open(jobs_);
    engine_->complete();
  }

  std::unique_ptr<AeadEngine> engine_ = make_openssl_engine();
  std::array<SymmetricKey, 3> keys_;
  std::vector<Bytes> plain_;
  std::vector<Bytes> texts_;
  std::vector<AeadJob> jobs_;
};

TEST_F(AeadEngineTest, SealsAsTheOneShotDoes) {
  seal_all();
  for (std::size_t at = 0; at < jobs_.size(); ++at) {
    EXPECT_TRUE(jobs_[at].authentic);
    Bytes expected(plain_[at].size());
    seal(*jobs_[at].key, jobs_[at].counter, ByteView{plain_[at]}.first(jobs_[at].length), {},
         expected);
    EXPECT_EQ(texts_[at], expected);
  }
}

TEST_F(AeadEngineTest, OpensWhatItSealed) {
  seal_all();
  open_all();
  for (std::size_t at = 0; at < jobs_.size(); ++at) {
    EXPECT_TRUE(jobs_[at].authentic);
    EXPECT_TRUE(std::equal(texts_[at].begin(), texts_[at].end() - 16, plain_[at].begin()));
  }
}

// A forged packet in a batch is refused, and its neighbours are not.
TEST_F(AeadEngineTest, RefusesOnlyWhatWasTamperedWith) {
  for (std::size_t forged = 0; forged < jobs_.size(); ++forged) {
    texts_ = plain_;
    for (std::size_t at = 0; at < jobs_.size(); ++at) jobs_[at].text = texts_[at].data();
    seal_all();
    texts_[forged].back() ^= 0x80U;
    open_all();
    for (std::size_t at = 0; at < jobs_.size(); ++at) {
      EXPECT_EQ(jobs_[at].authentic, at != forged);
    }
  }
}

TEST_F(AeadEngineTest, RefusesAnotherCounterOrKey) {
  seal_all();
  jobs_[2].counter += 1;
  jobs_[4].key = &keys_[(4 + 1) % keys_.size()];
  open_all();
  for (std::size_t at = 0; at < jobs_.size(); ++at) {
    EXPECT_EQ(jobs_[at].authentic, at != 2 && at != 4);
  }
}

}  // namespace
}  // namespace tw::crypto
