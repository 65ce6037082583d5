#include "lab/report/units.h"

#include <fmt/format.h>

namespace tw::lab {

std::string size_text(std::uint64_t bytes) {
  constexpr std::uint64_t kilo = 1000;
  if (bytes >= kilo * kilo) return fmt::format("{:g} MB", static_cast<double>(bytes) / 1e6);
  if (bytes >= kilo) return fmt::format("{:g} KB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{} B", bytes);
}

}  // namespace tw::lab
