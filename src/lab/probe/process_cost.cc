#include "lab/probe/process_cost.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

namespace tw::lab {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::vector<fs::path> tasks_of(pid_t pid) {
  std::vector<fs::path> tasks;
  std::error_code error;
  for (fs::directory_iterator at{fmt::format("/proc/{}/task", pid), error};
       !error && at != fs::directory_iterator{}; at.increment(error)) {
    tasks.push_back(at->path());
  }
  return tasks;
}

std::uint64_t number_at(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

ProcessCost& ProcessCost::operator+=(const ProcessCost& other) noexcept {
  cpu_ns += other.cpu_ns;
  switches += other.switches;
  return *this;
}

ProcessCost ProcessCost::since(const ProcessCost& before) const noexcept {
  const auto growth = [](std::uint64_t now, std::uint64_t then) {
    return now > then ? now - then : 0;
  };
  return {.cpu_ns = growth(cpu_ns, before.cpu_ns), .switches = growth(switches, before.switches)};
}

std::uint64_t parse_switches(const std::string& status) noexcept {
  constexpr std::string_view key = "voluntary_ctxt_switches:";  // "nonvoluntary_…" ends so, too
  std::uint64_t sum = 0;
  for (std::size_t at = status.find(key); at != std::string::npos; at = status.find(key, at)) {
    at += key.size();
    sum += number_at(std::string_view{status}.substr(at));
  }
  return sum;
}

ProcessCost cost_of(std::span<const pid_t> pids) {
  ProcessCost cost;
  for (const pid_t pid : pids) {
    for (const fs::path& task : tasks_of(pid)) {
      // The first number is the time on a CPU, in ns.
      cost += {.cpu_ns = number_at(contents(task / "schedstat")),
               .switches = parse_switches(contents(task / "status"))};
    }
  }
  return cost;
}

}  // namespace tw::lab
