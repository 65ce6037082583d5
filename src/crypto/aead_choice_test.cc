#include "crypto/aead_choice.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "crypto/aead_check.h"

namespace tw::crypto {
namespace {

using Jobs = std::span<AeadJob>;

ManualClock test_clock;  // the candidates below are plain functions, and must reach it

/// OpenSSL's engine with a fault, and with a pace of its own on the test's clock.
class FaultyEngine final : public AeadEngine {
 public:
  using Fault = std::function<void(Jobs)>;
  FaultyEngine(Duration pace, Fault after_seal, Fault after_open)
      : pace_(pace), after_seal_(std::move(after_seal)), after_open_(std::move(after_open)) {}

  std::string_view name() const noexcept override { return "faulty"; }
  void submit_seal(Jobs jobs) noexcept override {
    real_->submit_seal(jobs);
    if (after_seal_) after_seal_(jobs);
    test_clock.advance(pace_ * jobs.size());
  }
  void submit_open(Jobs jobs) noexcept override {
    real_->submit_open(jobs);
    if (after_open_) after_open_(jobs);
    test_clock.advance(pace_ * jobs.size());
  }
  void complete() noexcept override { real_->complete(); }

 private:
  std::unique_ptr<AeadEngine> real_ = make_openssl_engine();
  Duration pace_;
  Fault after_seal_;
  Fault after_open_;
};

template <int pace_ns>
Result<std::unique_ptr<AeadEngine>> make_sound() {
  return std::make_unique<FaultyEngine>(Duration{pace_ns}, nullptr, nullptr);
}
Result<std::unique_ptr<AeadEngine>> make_wrong() {
  return std::make_unique<FaultyEngine>(
      Duration{1}, [](Jobs jobs) { jobs[0].text[0] ^= 1U; }, nullptr);
}
Result<std::unique_ptr<AeadEngine>> make_absent() {
  return make_error(Error::Kind::unavailable, "no such instructions");
}

TEST(AeadCheck, FindsNoFaultInThisMachinesEngines) {
  for (const AeadCandidate& candidate : aead_candidates()) {
    const Result<std::unique_ptr<AeadEngine>> engine = candidate.make();
    if (engine) {
      EXPECT_EQ(fault_of(**engine), "") << candidate.name;
    }
  }
}

std::string fault_with(FaultyEngine::Fault after_seal, FaultyEngine::Fault after_open) {
  FaultyEngine engine{Duration{0}, std::move(after_seal), std::move(after_open)};
  return fault_of(engine);
}

TEST(AeadCheck, FindsWrongCiphertextAndTags) {
  EXPECT_EQ(fault_with([](Jobs jobs) { jobs[0].text[0] ^= 1U; }, nullptr),
            "seals RFC 8439 A.5 wrongly");
  EXPECT_EQ(fault_with([](Jobs jobs) { jobs[0].text[jobs[0].length + 15] ^= 1U; }, nullptr),
            "seals RFC 8439 A.5 wrongly");
  for (const std::uint32_t length : {0U, 65U, 1420U, 16384U}) {
    const auto spoil_one_length = [&](Jobs jobs) {
      for (AeadJob& job : jobs) {
        if (job.length == length) job.text[length / 2] ^= 0x10U;
      }
    };
    EXPECT_EQ(fault_with(spoil_one_length, nullptr),
              "seals wrongly at " + std::to_string(length) + " bytes");
  }
}

TEST(AeadCheck, FindsWrongVerdicts) {
  const auto accept_all = [](Jobs jobs) {
    for (AeadJob& job : jobs) job.authentic = true;
  };
  const auto refuse_all = [](Jobs jobs) {
    for (AeadJob& job : jobs) job.authentic = false;
  };
  // One forgery spoils the whole batch, as a verdict given for all at once would.
  const auto refuse_with_neighbours = [](Jobs jobs) {
    const bool all = std::all_of(jobs.begin(), jobs.end(), [](auto& job) { return job.authentic; });
    for (AeadJob& job : jobs) job.authentic = all;
  };
  EXPECT_EQ(fault_with(nullptr, accept_all), "accepts a forgery of 0 bytes");
  EXPECT_EQ(fault_with(nullptr, refuse_all), "does not open RFC 8439 A.5");
  EXPECT_EQ(fault_with(nullptr, refuse_with_neighbours), "refuses a genuine packet of 1 bytes");
}

TEST(AeadCheck, FindsPlaintextOfForgeriesAndWrongPlaintext) {
  const auto give_out = [](Jobs jobs) {
    for (AeadJob& job : jobs) {
      if (!job.authentic && job.length > 0) job.text[job.length - 1] = 1;
    }
  };
  const auto open_wrongly = [](Jobs jobs) {
    for (AeadJob& job : jobs) {
      if (job.authentic && job.length == 1452) job.text[1451] ^= 1U;
    }
  };
  EXPECT_EQ(fault_with(nullptr, give_out), "gives out a forgery of 15 bytes");
  EXPECT_EQ(fault_with(nullptr, open_wrongly), "opens wrongly at 1452 bytes");
}

TEST(AeadChoice, TakesTheFastest) {
  constexpr std::array<AeadCandidate, 3> candidates{
      {{"slow", make_sound<900>}, {"fast", make_sound<500>}, {"middling", make_sound<600>}}};
  const Result<AeadChoice> choice = choose_aead_engine(automatic_engine, test_clock, candidates);
  ASSERT_TRUE(choice.has_value());
  EXPECT_EQ(choice->chosen.name, "fast");
  EXPECT_EQ(choice->per_packet, 500ns);
  ASSERT_EQ(choice->trials.size(), 3U);
  EXPECT_EQ(choice->trials[0].per_packet, 900ns);
  EXPECT_EQ(choice->trials[2].per_packet, 600ns);
  EXPECT_NE(choice->make(), nullptr);
  EXPECT_NE(choice->make(), choice->make());
}

// However fast: what is wrong or absent is passed over, and the reason is kept for the operator.
TEST(AeadChoice, PassesOverTheWrongAndTheAbsent) {
  constexpr std::array<AeadCandidate, 3> candidates{
      {{"wrong", make_wrong}, {"absent", make_absent}, {"sound", make_sound<5000>}}};
  const Result<AeadChoice> choice = choose_aead_engine(automatic_engine, test_clock, candidates);
  ASSERT_TRUE(choice.has_value());
  EXPECT_EQ(choice->chosen.name, "sound");
  ASSERT_EQ(choice->trials.size(), 3U);
  EXPECT_EQ(choice->trials[0].refused, "seals RFC 8439 A.5 wrongly");
  EXPECT_EQ(choice->trials[0].per_packet, 0ns);
  EXPECT_EQ(choice->trials[1].refused, "no such instructions");
  EXPECT_EQ(choice->trials[2].refused, "");
}

TEST(AeadChoice, TakesTheOneAskedForAndNoOther) {
  constexpr std::array<AeadCandidate, 3> candidates{
      {{"slow", make_sound<900>}, {"fast", make_sound<500>}, {"wrong", make_wrong}}};
  const Result<AeadChoice> slow = choose_aead_engine("slow", test_clock, candidates);
  ASSERT_TRUE(slow.has_value());
  EXPECT_EQ(slow->chosen.name, "slow");
  EXPECT_EQ(slow->trials.size(), 1U);

  const Result<AeadChoice> wrong = choose_aead_engine("wrong", test_clock, candidates);
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().kind, Error::Kind::unavailable);
  EXPECT_EQ(wrong.error().detail, "no usable cipher engine: wrong: seals RFC 8439 A.5 wrongly");

  const Result<AeadChoice> unknown = choose_aead_engine("quick", test_clock, candidates);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().kind, Error::Kind::config);
  EXPECT_EQ(unknown.error().detail,
            "cipher engine \"quick\": there is automatic, slow, fast, wrong");
}

TEST(AeadChoice, SaysAllReasonsWhenNothingIsUsable) {
  constexpr std::array<AeadCandidate, 2> candidates{
      {{"wrong", make_wrong}, {"absent", make_absent}}};
  const Result<AeadChoice> choice = choose_aead_engine(automatic_engine, test_clock, candidates);
  ASSERT_FALSE(choice.has_value());
  EXPECT_EQ(choice.error().detail,
            "no usable cipher engine: wrong: seals RFC 8439 A.5 wrongly; "
            "absent: no such instructions");
}

// With a clock that stands still nothing can be compared, and still there is an engine.
TEST(AeadChoice, FindsAnEngineOnThisMachine) {
  const ManualClock still;
  const Result<AeadChoice> choice = choose_aead_engine(automatic_engine, still);
  ASSERT_TRUE(choice.has_value());
  EXPECT_EQ(choice->trials.size(), aead_candidates().size());
  EXPECT_EQ(choice->make()->name(), choice->chosen.name);
  EXPECT_TRUE(choose_aead_engine("openssl", still).has_value());
}

}  // namespace
}  // namespace tw::crypto
