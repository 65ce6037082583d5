// Work for later on a context: what a change leaves to be done in some seconds, or what cannot be
// done just now because another thread is at it.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "exec/poller.h"

namespace tw::node {

/// All but the constructor: on the context that it is attached to.
class Deferred final : public Poller {
 public:
  /// Returns when it wants to be called again; nothing if it is done.
  using Work = std::move_only_function<std::optional<Duration>() noexcept>;

  explicit Deferred(Work work) noexcept : work_(std::move(work)) {}
  /// In place of an earlier time.
  void at(Instant due) noexcept { due_ = due; }
  void cancel() noexcept { due_ = Instant::max(); }

  std::size_t poll(Instant now, std::size_t) noexcept override {
    if (now < due_) return 0;
    due_ = Instant::max();
    if (const std::optional<Duration> again = work_()) due_ = now + *again;
    return 1;
  }
  Instant next_deadline() const noexcept override { return due_; }

 private:
  Work work_;
  Instant due_ = Instant::max();
};

}  // namespace tw::node
