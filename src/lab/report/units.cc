#include "lab/report/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tw::lab {

std::string size_text(std::uint64_t bytes) {
  constexpr std::uint64_t kilo = 1000;
  if (bytes >= kilo * kilo) return fmt::format("{:g} MB", static_cast<double>(bytes) / 1e6);
  if (bytes >= kilo) return fmt::format("{:g} KB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{} B", bytes);
}

std::string duration_text(Duration time) {
  const double seconds = std::chrono::duration<double>(time).count();
  if (seconds < 100) return fmt::format("{:.0f} s", std::max(1.0, std::round(seconds)));
  if (seconds < 6000) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace tw::lab
