// Where the figures of a run come from: what must be known to repeat it, and what disturbed it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lab/bed/interrupt.h"
#include "lab/report/json.h"

namespace tw::lab {

/// Options with their values, as strings.
using OptionValues = std::vector<std::pair<std::string, std::string>>;

struct Provenance {
  std::string kernel, cpu;  ///< "Linux 6.18.0", the model as /proc/cpuinfo has it
  unsigned cpus = 0;        ///< that this process may use
  std::uint64_t memory_mb = 0;
  std::string date;                     ///< when the run began: "2026-11-30T20:15:00Z"
  std::array<double, 3> load_before{};  ///< load averages of 1, 5 and 15 minutes
  double busy_before = 0;               ///< cores that others used just before
  OptionValues options{};

  /// Reads the machine, and the clock. What cannot be read stays empty.
  static Provenance now();
  /// The same, and for 200 ms how busy others keep the machine. Less long if interrupted.
  static Provenance observe(Interrupt& interrupt);
};

/// {"kernel": …, "cpu": …, "cpus": …, "memory_mb": …}
ReportJson machine_json(const Provenance& provenance);

/// Two lines for people: the machine, and what it did before.
std::string provenance_text(const Provenance& provenance);

/// The model in the text of /proc/cpuinfo; "unknown" without one.
std::string parse_cpu_model(const std::string& cpuinfo);

}  // namespace tw::lab
