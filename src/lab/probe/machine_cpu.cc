#include "lab/probe/machine_cpu.h"

#include <array>
#include <charconv>
#include <fstream>
#include <string>

namespace tw::lab {
namespace {

double share(std::uint64_t part, std::uint64_t whole) noexcept {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

double MachineCpu::stolen_share() const noexcept { return share(stolen, total); }

double MachineCpu::busy_share() const noexcept { return share(busy, total); }

std::optional<MachineCpu> parse_machine_cpu(std::string_view text) noexcept {
  constexpr std::string_view key = "cpu  ";
  if (!text.starts_with(key)) return {};
  // user nice system idle iowait irq softirq steal; guest time is in user already.
  std::array<std::uint64_t, 8> ticks{};
  const char* at = text.data() + key.size();
  const char* end = text.data() + text.size();
  for (std::uint64_t& value : ticks) {
    while (at < end && *at == ' ') ++at;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc{}) return {};
    at = next;
  }
  MachineCpu cpu{.busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6], .stolen = ticks[7]};
  cpu.total = cpu.busy + cpu.stolen + ticks[3] + ticks[4];
  return cpu;
}

MachineCpu machine_cpu() {
  std::ifstream file{"/proc/stat"};
  std::string line;
  std::getline(file, line);
  return parse_machine_cpu(line).value_or(MachineCpu{});
}

}  // namespace tw::lab
