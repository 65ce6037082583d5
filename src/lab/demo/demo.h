// The demonstration: builds the hosts and links, measures them, starts the server, both PoPs and a
// standard client, downloads over every path in turns, and takes everything down again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/bed/interrupt.h"
#include "lab/demo/demo_report.h"
#include "lab/report/progress.h"

namespace tw::lab {

struct DemoOptions {
  std::vector<std::uint64_t> sizes{10'000, 100'000, 1'000'000, 10'000'000};  ///< bytes
  std::uint32_t runs = 5;                                                    ///< of every download
  std::vector<Path> paths{Path::end_to_end, Path::tunnelled, Path::relayed};
  std::uint64_t rate_bps = 1'000'000'000;  ///< of every link, each way
  double client_loss = 0;                  ///< share of segments lost between client and R_C
  std::uint64_t seed = 1;                  ///< of file contents and losses
  std::string version;                     ///< of this program, for the report
  std::string command;                     ///< as it was called, for the report
};

/// Runs it all; takes about 17 s for each of `runs` with the sizes above, and 10 s besides. Call
/// from the main thread. On every way out everything it made is gone, and what an earlier run that
/// was killed has left behind is removed first. Needs root.
Result<DemoReport> run_demo(const DemoOptions& options, Interrupt& interrupt, Progress& progress);

}  // namespace tw::lab
