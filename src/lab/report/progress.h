// The progress line of a long run: rewritten in place on a terminal, a line a step elsewhere.
// Always on stderr, so that results can be piped.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace tw::lab {

class Progress {
 public:
  Progress() noexcept;
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  ///< clears the line, if there is one

  /// Sets how long the run still takes: lines from now on end with the time left. Zero: unknown.
  void due(Duration left) noexcept;
  /// Shows a step of the run.
  void show(std::string_view text);
  /// Shows what changes within a step. On a terminal only: elsewhere it would fill a log.
  void hint(std::string_view text);
  /// Prints a line that stays.
  void note(std::string_view text) noexcept;
  /// Takes the line away, if there is one.
  void clear() noexcept;

 private:
  std::optional<std::chrono::steady_clock::time_point> end_;
  bool terminal_;
  bool shown_ = false;
};

}  // namespace tw::lab
