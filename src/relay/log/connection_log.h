// Says of each connection, in one line, whose it was and how it went: which ones are said, and in
// which words. What was relayed is sampled; what was refused or failed is always said, but not more
// often than an operator can read: a flood must not fill the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/describe.h"
#include "base/time.h"
#include "relay/admission/syn_budget.h"
#include "relay/log/line_spool.h"
#include "relay/log/log_format.h"
#include "relay/settings.h"

namespace tw::relay {

struct ConnectionLogCounters {
  std::uint64_t lines = 0;     ///< said
  std::uint64_t left_out = 0;  ///< failures beyond failures_per_second
  std::uint64_t lost = 0;      ///< that found no room
};

inline constexpr MetricFamily log_lines_metric{"relay_log_lines_total",
                                               "Connections logged, left out, and lost"};

template <typename Visitor>
void describe(Visitor& visit, const ConnectionLogCounters& of) {
  const MetricFamily* const lines = &log_lines_metric;
  visit.number("lines", of.lines, {lines, "what", "said", "lines"});
  visit.number("left_out", of.left_out, {lines, "what", "left_out", "failures left out"});
  visit.number("lost", of.lost, {lines, "what", "lost", "lost"});
}

/// One context uses it; nothing here waits.
class ConnectionLog {
 public:
  static constexpr std::uint32_t failures_per_second = 50, failures_at_once = 500;

  /// A file is opened anew each time.
  void apply(const LogSettings& settings);
  bool enabled() const noexcept { return settings_.connections && spool_; }

  /// One that was connected onward. `record` without its time.
  void relayed(LogRecord record) noexcept;
  /// One that was not, for whatever reason.
  void failed(LogRecord record, Instant now) noexcept;

  ConnectionLogCounters counters() const noexcept;

 private:
  void say(LogRecord& record) noexcept;
  void say_left_out() noexcept;

  LogSettings settings_;
  const SystemClock clock_;
  std::unique_ptr<LineSpool> spool_;  // from the first time on: to end it may take a disk's time
  std::uint64_t relayed_ = 0, lines_ = 0, left_out_ = 0, left_out_said_ = 0;
  TokenBucket failures_;
};

}  // namespace tw::relay
