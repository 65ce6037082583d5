// Engines against each other: what one seals the other opens, byte for byte, whatever the sizes,
// keys and shape of the batch. Seeded, so that a failure repeats.

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "crypto/test_engines.h"

namespace tw::crypto {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// Each other engine beside OpenSSL's.
class AeadAgreement : public EachEngine {
 protected:
  void SetUp() override {
    EachEngine::SetUp();
    engines_[0] = std::move(engine_);
    engines_[1] = make_openssl_engine();
    for (SymmetricKey& key : keys_) {
      for (std::uint8_t& byte : key.span()) byte = byte_of();
    }
  }
  std::uint8_t byte_of() { return static_cast<std::uint8_t>(random_.next()); }

  /// 1 to 100 packets of random keys and counters, and sizes of the kinds that traffic has.
  std::vector<Bytes> draw_batch() {
    std::vector<Bytes> texts(1 + random_.next() % 100);
    jobs_.clear();
    for (Bytes& text : texts) {
      constexpr std::array<std::size_t, 5> bounds{1, 70, 300, 1600, 9000};
      text.resize(random_.next() % bounds[random_.next() % bounds.size()] + 16);
      for (std::uint8_t& byte : text) byte = byte_of();
      jobs_.push_back({.key = &keys_[random_.next() % keys_.size()],
                       .counter = random_.next() >> (random_.next() % 64),
                       .text = nullptr,
                       .length = static_cast<std::uint32_t>(text.size() - 16)});
    }
    return texts;
  }
  std::vector<AeadJob> jobs_on(std::vector<Bytes>& texts) const {
    std::vector<AeadJob> jobs = jobs_;
    for (std::size_t at = 0; at < jobs.size(); ++at) jobs[at].text = texts[at].data();
    return jobs;
  }
  void seal_with(std::size_t engine, std::vector<Bytes>& texts) const {
    std::vector<AeadJob> jobs = jobs_on(texts);
    engines_[engine]->submit_seal(jobs);
    engines_[engine]->complete();
  }

  SeededRandom random_{20250601};
  std::array<std::unique_ptr<AeadEngine>, 2> engines_;
  std::array<SymmetricKey, 7> keys_;
  std::vector<AeadJob> jobs_;
};

TEST_P(AeadAgreement, OnWhatTheySeal) {
  for (int round = 0; round < 60; ++round) {
    std::vector<Bytes> left = draw_batch();
    std::vector<Bytes> right = left;
    seal_with(0, left);
    seal_with(1, right);
    ASSERT_EQ(left, right) << "round " << round;
  }
}

// A third of the packets is damaged somewhere: both refuse the same ones and open the same rest.
TEST_P(AeadAgreement, OnWhatTheyOpenAndRefuse) {
  for (int round = 0; round < 60; ++round) {
    const std::vector<Bytes> plain = draw_batch();
    std::vector<Bytes> left = plain;
    seal_with(static_cast<std::size_t>(round % 2), left);
    std::vector<bool> damaged(left.size());
    for (std::size_t at = 0; at < left.size(); ++at) {
      damaged[at] = random_.next() % 3 == 0;
      if (!damaged[at]) continue;
      left[at][random_.next() % left[at].size()] ^=
          static_cast<std::uint8_t>(1U << (random_.next() % 8));
    }
    std::vector<Bytes> right = left;
    std::vector<AeadJob> by_left = jobs_on(left);
    std::vector<AeadJob> by_right = jobs_on(right);
    engines_[0]->submit_open(by_left);
    engines_[1]->submit_open(by_right);
    for (const auto& engine : engines_) engine->complete();
    ASSERT_EQ(left, right) << "round " << round;
    for (std::size_t at = 0; at < left.size(); ++at) {
      ASSERT_EQ(by_left[at].authentic, !damaged[at]) << "round " << round << " packet " << at;
      ASSERT_EQ(by_right[at].authentic, !damaged[at]) << "round " << round << " packet " << at;
      const Bytes expected = damaged[at] ? Bytes(plain[at].size()) : plain[at];
      ASSERT_TRUE(std::equal(left[at].begin(), left[at].end() - 16, expected.begin()));
    }
  }
}

// Ciphertexts of all ones, and of all zeros, carry furthest through Poly1305's limbs; no plaintext
// drawn at random leads there.
TEST_P(AeadAgreement, OnCiphertextsThatCarry) {
  for (const std::uint8_t wanted : {std::uint8_t{0xff}, std::uint8_t{0}}) {
    for (int round = 0; round < 20; ++round) {
      std::vector<Bytes> left = draw_batch();
      for (Bytes& text : left) std::fill(text.begin(), text.end(), std::uint8_t{0});
      seal_with(1, left);  // zeros sealed are the key stream
      for (Bytes& text : left) {
        for (std::uint8_t& byte : text) byte ^= wanted;
      }
      std::vector<Bytes> right = left;
      seal_with(0, left);
      seal_with(1, right);
      ASSERT_EQ(left, right) << "round " << round;
      for (const Bytes& text : left) {
        ASSERT_TRUE(
            std::all_of(text.begin(), text.end() - 16, [&](auto b) { return b == wanted; }));
      }
    }
  }
}

std::vector<std::string_view> others_than_openssl() {
  std::vector<std::string_view> names = engine_names();
  std::erase(names, "openssl");
  return names;
}

INSTANTIATE_TEST_SUITE_P(Engines, AeadAgreement, testing::ValuesIn(others_than_openssl()),
                         [](const auto& run) { return test_name_of(run.param); });

}  // namespace
}  // namespace tw::crypto
