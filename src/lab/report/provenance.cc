#include "lab/report/provenance.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>

#include "lab/probe/machine_cpu.h"

namespace tw::lab {
namespace {

std::string contents(const char* path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

unsigned usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 0;
}

}  // namespace

std::string parse_cpu_model(const std::string& cpuinfo) {
  constexpr std::string_view key = "model name";
  const std::size_t line = cpuinfo.find(key);
  const std::size_t colon = line == std::string::npos ? line : cpuinfo.find(": ", line);
  if (colon == std::string::npos) return "unknown";
  return cpuinfo.substr(colon + 2, cpuinfo.find('\n', colon) - colon - 2);
}

Provenance Provenance::now() {
  Provenance result;
  utsname kernel{};
  uname(&kernel);
  result.kernel = fmt::format("{} {}", kernel.sysname, kernel.release);
  result.cpu = parse_cpu_model(contents("/proc/cpuinfo"));
  result.cpus = usable_cpus();
  const auto pages = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES));
  result.memory_mb = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) / 1'000'000;
  const std::time_t seconds = std::time(nullptr);
  result.date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds));
  getloadavg(result.load_before.data(), static_cast<int>(result.load_before.size()));
  return result;
}

Provenance Provenance::observe(Interrupt& interrupt) {
  constexpr Duration quiet_time = 200ms;
  Provenance result = now();
  const MachineCpu before = machine_cpu();
  interrupt.pause(quiet_time);
  result.busy_before = machine_cpu().since(before).busy_share() * result.cpus;
  return result;
}

ReportJson machine_json(const Provenance& provenance) {
  return {{"kernel", provenance.kernel},
          {"cpu", provenance.cpu},
          {"cpus", provenance.cpus},
          {"memory_mb", provenance.memory_mb}};
}

std::string provenance_text(const Provenance& provenance) {
  return fmt::format(
      "machine: {}, {} CPUs, {} MB, {}\nbefore: {:.2f} cores busy with others, load {:.2f}\n",
      provenance.cpu, provenance.cpus, provenance.memory_mb, provenance.kernel,
      provenance.busy_before, provenance.load_before[0]);
}

}  // namespace tw::lab
