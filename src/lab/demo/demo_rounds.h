// The demonstration while it runs: its hosts, links and programs, and one download at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "lab/bed/overlay.h"
#include "lab/bed/testbed.h"
#include "lab/demo/demo.h"
#include "lab/probe/web_server.h"

namespace tw::lab {

class DemoRounds : public Rounds {
 public:
  /// Builds and starts everything, and returns when every path has carried a download. `report`
  /// gets the environment now and each counted download later; both must outlive the rounds.
  static Result<std::unique_ptr<Rounds>> start(const DemoOptions& options, DemoReport& report,
                                               Run& run);

  Plan plan() override;
  Result<Measured> measure(std::size_t level, const Round& round, Run& run) override;

 private:
  struct Kind {
    std::uint64_t bytes;
    Path path;
  };

  DemoRounds(const DemoOptions& options, DemoReport& report, Testbed bed);
  Result<void> describe(const TopologyShape& shape, Run& run);
  Result<void> start_programs(Run& run);
  Result<void> await_path(Path path, Run& run);
  /// Fails if one of the programs has ended by itself.
  Result<void> check();
  Request request_for(const Kind& kind) const;

  const DemoOptions& options_;
  DemoReport& report_;
  std::vector<Kind> kinds_;
  // Destroyed in reverse order.
  Testbed bed_;
  std::optional<WebServer> server_;
  std::optional<Overlay> overlay_;
};

}  // namespace tw::lab
