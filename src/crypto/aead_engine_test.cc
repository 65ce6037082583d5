#include "crypto/aead_engine.h"

#include <gtest/gtest.h>

#include <vector>

#include "crypto/primitives.h"
#include "crypto/test_engines.h"
#include "crypto/test_vectors.h"

namespace tw::crypto {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Packets of several keys and all awkward lengths in one batch, which is longer than what
// libipsec-mb is given at once.
class AeadEngineTest : public EachEngine {
 protected:
  AeadEngineTest() {
    for (SymmetricKey& key : keys_) random_bytes(key.span());
    for (int repeat = 0; repeat < 3; ++repeat) {
      for (std::uint32_t length : {0U, 1U, 15U, 16U, 17U, 63U, 64U, 65U, 255U, 256U, 257U, 511U,
                                   512U, 1024U, 1040U, 1420U, 1452U, 9000U}) {
        Bytes text(length + 16U);
        for (std::size_t at = 0; at < length; ++at) text[at] = static_cast<std::uint8_t>(at * 7);
        plain_.push_back(text);
      }
    }
    texts_ = plain_;
    for (std::size_t at = 0; at < texts_.size(); ++at) {
      jobs_.push_back({.key = &keys_[at % keys_.size()],
                       .counter = (std::uint64_t{1} << at) + at,
                       .text = texts_[at].data(),
                       .length = static_cast<std::uint32_t>(texts_[at].size() - 16)});
    }
  }
  bool opened_as_sealed(std::size_t at) const {
    return std::equal(texts_[at].begin(), texts_[at].end() - 16, plain_[at].begin());
  }
  bool is_zeroed(std::size_t at) const {
    return std::all_of(texts_[at].begin(), texts_[at].end() - 16, [](auto b) { return b == 0; });
  }
  /// Opens all and expects exactly `wrong` to be refused and zeroed, and nothing else touched.
  void expect_only_refused(std::size_t wrong) {
    open_all(jobs_);
    for (std::size_t at = 0; at < jobs_.size(); ++at) {
      EXPECT_EQ(jobs_[at].authentic, at != wrong) << at << " of " << wrong;
      EXPECT_TRUE(at == wrong ? is_zeroed(at) : opened_as_sealed(at)) << at << " of " << wrong;
    }
  }
  void seal_again() {
    for (std::size_t at = 0; at < jobs_.size(); ++at) {
      std::copy(plain_[at].begin(), plain_[at].end(), texts_[at].begin());
    }
    seal_all(jobs_);
  }

  std::array<SymmetricKey, 5> keys_;
  std::vector<Bytes> plain_;
  std::vector<Bytes> texts_;
  std::vector<AeadJob> jobs_;
};

TEST_P(AeadEngineTest, HasTheNameThatItIsChosenBy) { EXPECT_EQ(engine_->name(), GetParam()); }

// The ciphertext is the RFC's. An engine authenticates no additional data, so the tag is that of a
// transcription of the RFC's pseudocode, run without; with its data that gave the RFC's own tag.
TEST_P(AeadEngineTest, Rfc8439AppendixA5) {
  const SymmetricKey key{
      array_from_hex<32>("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0")};
  constexpr std::string_view text =
      "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, "
      "replaced, or obsoleted by other documents at any time. It is inappropriate to use "
      "Internet-Drafts as reference material or to cite them other than as "
      "/\xe2\x80\x9cwork in progress./\xe2\x80\x9d";
  const Bytes expected = from_hex(
      "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d"
      "26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1"
      "ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b"
      "5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea"
      "1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d36"
      "1094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709b"
      "6e3570b1acaaf1f24f2a644f01acd12b");
  Bytes bytes(text.begin(), text.end());
  bytes.resize(text.size() + 16);
  AeadJob job{.key = &key,
              .counter = 0x0807060504030201,
              .text = bytes.data(),
              .length = static_cast<std::uint32_t>(text.size())};
  seal_all({&job, 1});
  EXPECT_EQ(bytes, expected);
  open_all({&job, 1});
  EXPECT_TRUE(job.authentic);
  EXPECT_EQ(as_text(ByteView{bytes}.first(text.size())), text);
}

// The tag of nothing at all: what a keepalive is. From the same transcription.
TEST_P(AeadEngineTest, SealsAndOpensNothing) {
  const SymmetricKey key{
      array_from_hex<32>("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0")};
  Bytes tag(16);
  AeadJob job{.key = &key, .counter = 0x0807060504030201, .text = tag.data(), .length = 0};
  seal_all({&job, 1});
  EXPECT_EQ(tag, from_hex("11f42c5c33f24b70d45e8126aec859be"));
  open_all({&job, 1});
  EXPECT_TRUE(job.authentic);
  tag[15] ^= 1U;
  open_all({&job, 1});
  EXPECT_FALSE(job.authentic);
}

TEST_P(AeadEngineTest, TakesAnEmptyBatch) {
  seal_all({});
  open_all({});
  seal_all(jobs_);
  open_all(jobs_);
  EXPECT_TRUE(opened_as_sealed(5));
}

TEST_P(AeadEngineTest, SealsAsTheOneShotDoes) {
  seal_all(jobs_);
  for (std::size_t at = 0; at < jobs_.size(); ++at) {
    EXPECT_TRUE(jobs_[at].authentic);
    Bytes expected(plain_[at].size());
    seal(*jobs_[at].key, jobs_[at].counter, ByteView{plain_[at]}.first(jobs_[at].length), {},
         expected);
    EXPECT_EQ(texts_[at], expected) << at;
  }
}

TEST_P(AeadEngineTest, OpensWhatItSealed) {
  seal_all(jobs_);
  expect_only_refused(jobs_.size());
}

// A forged packet in a batch is refused and zeroed, and its neighbours are not.
TEST_P(AeadEngineTest, RefusesOnlyWhatWasTamperedWith) {
  for (std::size_t forged = 0; forged < jobs_.size(); ++forged) {
    seal_again();
    texts_[forged].back() ^= 0x80U;
    expect_only_refused(forged);
    seal_again();
    texts_[forged].front() ^= 0x01U;  // of the text, or of the tag of an empty one
    expect_only_refused(forged);
  }
}

TEST_P(AeadEngineTest, RefusesEveryFlippedBitOfATag) {
  for (std::size_t bit = 0; bit < 128; ++bit) {
    seal_again();
    texts_[6][texts_[6].size() - 16 + bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    open_all(std::span{jobs_}.subspan(5, 3));
    EXPECT_TRUE(jobs_[5].authentic);
    EXPECT_FALSE(jobs_[6].authentic) << bit;
    EXPECT_TRUE(jobs_[7].authentic);
  }
}

TEST_P(AeadEngineTest, RefusesAnotherCounter) {
  for (const unsigned bit : {0U, 31U, 32U, 63U}) {
    seal_again();
    jobs_[20].counter ^= std::uint64_t{1} << bit;
    expect_only_refused(20);
    jobs_[20].counter ^= std::uint64_t{1} << bit;
  }
}

TEST_P(AeadEngineTest, RefusesAnotherKey) {
  seal_all(jobs_);
  jobs_[33].key = &keys_[34 % keys_.size()];
  expect_only_refused(33);
}

// A rekey puts a new key where the old one was: an engine may not go by the address.
TEST_P(AeadEngineTest, SeesAKeyChangeInPlace) {
  const std::span<AeadJob> one = std::span{jobs_}.subspan(15, 1);
  seal_all(one);
  const Bytes under_first = texts_[15];
  random_bytes(keys_[15 % keys_.size()].span());
  open_all(one);
  EXPECT_FALSE(one[0].authentic);
  std::copy(plain_[15].begin(), plain_[15].end(), texts_[15].begin());
  seal_all(one);
  EXPECT_NE(texts_[15], under_first);
  open_all(one);
  EXPECT_TRUE(one[0].authentic);
}

TEST_P(AeadEngineTest, LivesBesideAnother) {
  Result<std::unique_ptr<AeadEngine>> other = make_engine(GetParam());
  ASSERT_TRUE(other.has_value());
  seal_all(jobs_);
  (*other)->submit_open(jobs_);
  (*other)->complete();
  other->reset();
  EXPECT_TRUE(jobs_[53].authentic && opened_as_sealed(53));
  seal_all(jobs_);
  expect_only_refused(jobs_.size());
}

INSTANTIATE_TEST_SUITE_P(Engines, AeadEngineTest, testing::ValuesIn(engine_names()),
                         [](const auto& run) { return test_name_of(run.param); });

}  // namespace
}  // namespace tw::crypto
