// The kernel's part of turbo start and relay.client_start: the congestion control that opens the
// windows of sockets whose path is known (port/kernel/careful_resume.h). It is loaded before the
// node drops its privileges; registered while it is wanted.
#pragma once

#include <optional>

#include "port/kernel/careful_resume.h"
#include "relay/pacing/resumer.h"
#include "relay/settings.h"

namespace tw::node {

class WindowOpener final : public relay::Resumer {
 public:
  /// Before privileges are dropped. A kernel that refuses is no reason not to start: a line in the
  /// log says what that costs, here or from apply().
  void prepare();
  /// It is loaded: legs need no route that opens their windows.
  bool is_ready() const noexcept { return resume_.has_value(); }
  /// Brings the kernel to what `settings` want. Returns RelaySettings::resumer: null if nothing
  /// wants it, or it cannot be had.
  relay::Resumer* apply(const relay::RelaySettings& settings);
  void close() noexcept;

  bool resume(int socket, const Start& start) noexcept override;
  void announce(int socket) noexcept override;
  std::optional<Found> found(int socket) noexcept override;

 private:
  std::optional<CarefulResume> resume_;
};

}  // namespace tw::node
