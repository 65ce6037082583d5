// The engines of this build by name, for tests that run on each of them.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
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

}  // namespace tw::crypto
