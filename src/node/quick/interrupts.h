// Signals that ask `thalweg wg up` and `down` to stop. They are blocked and read from a descriptor,
// so that nothing ends half done: whoever waits notices, and undoes what there is to undo.
#pragma once

#include <chrono>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tw::node {

class Interrupts {
 public:
  /// Blocks SIGINT, SIGTERM, SIGHUP and SIGQUIT for the calling thread, and those it starts later;
  /// they stay blocked. SIGPIPE is ignored: whoever reads our words may have gone.
  static Result<Interrupts> open();

  /// Readable when a signal is waiting.
  int fd() const noexcept { return signals_.get(); }
  /// The first signal that came, 0 if none did. Takes down what has come by now.
  int received() noexcept;
  /// False at once when a signal comes, also if one has come before.
  bool sleep(std::chrono::milliseconds duration) noexcept;
  /// "interrupted by SIGTERM".
  Error error() const;

 private:
  explicit Interrupts(UniqueFd signals) noexcept : signals_(std::move(signals)) {}

  UniqueFd signals_;
  int first_ = 0;
};

/// A line for the one who called, on stderr; lost if nobody reads that.
void tell(std::string_view line) noexcept;

}  // namespace tw::node
