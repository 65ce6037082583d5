#include "base/cpu_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace tw {
namespace {

std::optional<std::uint32_t> cpu_of(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number >= most_cpus) return {};
  return number;
}

}  // namespace

std::optional<std::vector<std::uint32_t>> listed_cpus(std::string_view list) {
  std::vector<std::uint32_t> cpus;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view part = list.substr(0, comma);
    const std::size_t dash = part.find('-');
    const auto first = cpu_of(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : cpu_of(part.substr(dash + 1));
    if (!first || !last || *first > *last) return {};
    for (std::uint32_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
    if (list.empty()) return {};
    if (cpus.size() > most_cpus) return {};
  }
  return cpus;
}

std::optional<std::vector<std::uint32_t>> cpus_of(std::string_view list) {
  auto cpus = listed_cpus(list);
  if (!cpus) return {};
  std::ranges::sort(*cpus);
  const auto doubled = std::ranges::unique(*cpus);
  cpus->erase(doubled.begin(), doubled.end());
  return cpus;
}

std::string cpu_list(const std::vector<std::uint32_t>& cpus) {
  std::string list;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t end = i + 1;
    while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
    if (!list.empty()) list += ',';
    list += end - i == 1 ? std::to_string(cpus[i]) : fmt::format("{}-{}", cpus[i], cpus[end - 1]);
    i = end;
  }
  return list;
}

}  // namespace tw
