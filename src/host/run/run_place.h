// The CPUs and the priority of an application that `thalweg host run` starts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/state/saved_state.h"

namespace tw::host {

struct RunWishes {
  std::optional<std::uint32_t> core{};
  std::optional<int> priority{};
  std::string device{};  ///< whose packets matter; "": any that is applied
};

struct RunPlace {
  std::vector<std::uint32_t> cpus;  ///< never empty
  int priority = 0;                 ///< real-time
};

/// Where NAPI threads were put by `apply`, and one priority above them. `config` if that says
/// nothing, and the wishes do not either.
Result<RunPlace> run_place(const SavedState& state, const RunWishes& wishes);

}  // namespace tw::host
