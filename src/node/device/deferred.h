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
  using Task = std::move_only_function<std::optional<Duration>() noexcept>;

  explicit Deferred(Task task) noexcept : task_(std::move(task)) {}
  /// In place of an earlier time.
  void at(Instant due) noexcept { due_ = due; }
  void cancel() noexcept { due_ = Instant::max(); }

  Work poll(Instant now, std::size_t) noexcept override {
    if (now < due_) return {};
    due_ = Instant::max();
    if (const std::optional<Duration> again = task_()) due_ = now + *again;
    return {.packets = 1};
  }
  Instant next_deadline() const noexcept override { return due_; }

 private:
  Task task_;
  Instant due_ = Instant::max();
};

}  // namespace tw::node
