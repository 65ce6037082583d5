// The engines of this build by name, and the fixture of tests that run on each of them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/aead_choice.h"

namespace tw::crypto {

inline std::vector<std::string_view> engine_names() {
  std::vector<std::string_view> names;
  for (const AeadCandidate& candidate : aead_candidates()) names.push_back(candidate.name);
  return names;
}

/// The error says why this machine cannot run it.
inline Result<std::unique_ptr<AeadEngine>> make_engine(std::string_view name) {
  const auto candidates = aead_candidates();
  return std::ranges::find(candidates, name, &AeadCandidate::name)->make();
}

/// As GoogleTest wants names: letters and digits only.
inline std::string test_name_of(std::string_view engine) {
  std::string name{engine};
  std::erase(name, '-');
  return name;
}

/// A test that is run with each engine, and skipped for one that this machine cannot run.
class EachEngine : public testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<AeadEngine>> made = make_engine(GetParam());
    if (!made) GTEST_SKIP() << made.error().text();
    engine_ = *std::move(made);
  }
  void seal_all(std::span<AeadJob> jobs) {
    engine_->submit_seal(jobs);
    engine_->complete();
  }
  void open_all(std::span<AeadJob> jobs) {
    engine_->submit_open(jobs);
    engine_->complete();
  }

  std::unique_ptr<AeadEngine> engine_;
};

}  // namespace tw::crypto
