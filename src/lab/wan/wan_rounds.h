// The paper's experiment while it runs: hosts and links, every configuration up beside the others,
// and one download at a time with what it cost.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "lab/bed/testbed.h"
#include "lab/probe/download.h"
#include "lab/probe/web_server.h"
#include "lab/wan/contest.h"
#include "lab/wan/wan.h"
#include "port/kernel/syscall_counter.h"

namespace tw::lab {

class WanRounds : public Rounds {
 public:
  /// Builds and starts everything, and returns when every configuration has carried a download.
  /// `report` gets the environment now and each download later; both must outlive the rounds.
  static Result<std::unique_ptr<Rounds>> start(const WanOptions& options, WanReport& report,
                                               Run& run);

  Plan plan() override;
  /// A download that fails is a result; a program that has ended by itself is an error.
  Result<Measured> measure(std::size_t level, const Round& round, Run& run) override;

 private:
  struct Kind {
    std::uint64_t bytes;
    std::size_t contestant;
  };

  WanRounds(const WanOptions& options, WanReport& report, Testbed bed);
  Result<void> describe(const std::vector<Configuration>& configurations, Run& run);
  Result<void> start_server(const std::vector<Configuration>& configurations, Run& run);
  Result<void> start_contestants(const std::vector<Configuration>& configurations, Run& run);
  Result<void> await_contestant(const Contestant& contestant, Run& run);
  /// Without the counter everything else is measured all the same, and the report says why.
  void start_counting();
  /// Returns the system calls that these have made since they are counted, which is from now on at
  /// the latest; nothing if one of them cannot be.
  std::optional<std::uint64_t> calls_of(const std::vector<pid_t>& pids);
  /// Fails if one of the programs has ended by itself.
  Result<void> check();
  Request request_for(const Contestant& contestant, std::uint64_t bytes) const;

  const WanOptions& options_;
  WanReport& report_;
  std::vector<Kind> kinds_;
  // Destroyed in reverse order.
  Testbed bed_;
  std::optional<WebServer> server_;
  std::vector<Contestant> contestants_;
  std::optional<SyscallCounter> calls_;
};

}  // namespace tw::lab
