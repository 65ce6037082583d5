// CPUs as the kernel writes them: "0-1,4".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tw::host {

inline constexpr std::uint32_t most_cpus = 8192;  ///< the largest NR_CPUS of any distribution

/// Ascending numbers below most_cpus, each once. "" is an empty list. Empty on bad syntax.
std::optional<std::vector<std::uint32_t>> cpus_of(std::string_view list);
/// The inverse; `cpus` ascending.
std::string cpu_list(const std::vector<std::uint32_t>& cpus);

}  // namespace tw::host
