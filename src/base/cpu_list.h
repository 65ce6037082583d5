// CPUs as the kernel writes them: "0-1,4".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tw {

inline constexpr std::uint32_t most_cpus = 8192;  ///< the largest NR_CPUS of any distribution

/// The numbers below most_cpus of a list, as they stand there, one that is named twice twice. "" is
/// an empty list. Empty on bad syntax.
std::optional<std::vector<std::uint32_t>> listed_cpus(std::string_view list);
/// The same, ascending, each once.
std::optional<std::vector<std::uint32_t>> cpus_of(std::string_view list);
/// The inverse; `cpus` ascending.
std::string cpu_list(const std::vector<std::uint32_t>& cpus);

}  // namespace tw
