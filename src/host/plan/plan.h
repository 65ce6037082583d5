// Says which settings a device should have, and why; which are left alone, and why; and the traps.
// A function of the facts and of what is wished: reads nothing, changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/plan/facts.h"

namespace tw::host {

inline constexpr int lowest_priority = 2, highest_priority = 98, usual_priority = 20;

struct Wishes {
  std::optional<std::uint32_t> core{};  ///< for all NAPI threads; empty: isolated CPUs, or all
  int priority = usual_priority;        ///< real-time priority of the applications
  /// True if the input is limited before it comes here: NAPI threads may be above the applications.
  bool policed = false;
  bool busy_poll = false;  ///< NAPI threads that never sleep; Linux 6.19
};

/// A setting and the value that it should have.
struct Wanted {
  SettingKey key;
  std::optional<std::string> now;  ///< empty: it comes to be by a setting before it
  std::string value;
  std::string why;
  bool may_fail = false;  ///< a driver may refuse it; the rest stands without it

  bool changes() const { return now != value; }
};

struct LeftAlone {
  std::string what, now, why;
};

struct Plan {
  std::string device;
  std::vector<Wanted> wanted;  ///< in the order to set them
  std::vector<LeftAlone> left;
  std::vector<std::string> warnings;
  std::string impossible;  ///< why nothing can be done; "" if something can
};

Plan make_plan(const Facts& facts, const Wishes& wishes);

/// The real-time priority that NAPI threads get beside applications of this one.
int napi_priority(const Wishes& wishes) noexcept;

}  // namespace tw::host
