// The kernel's part of turbo start and relay.client_start: the congestion control that opens the
// windows of sockets whose path is known (port/kernel/careful_resume.h). It is loaded before the
// node drops its privileges; registered while it is wanted.
#pragma once

#include <optional>
#include <string>

#include "port/kernel/careful_resume.h"
#include "relay/pacing/resumer.h"
#include "relay/settings.h"

namespace tw::node {

class WindowOpener final : public relay::Resumer {
 public:
  /// Loads it. Called before privileges are dropped, whatever the configuration wants by then. A
  /// kernel that refuses is no reason not to start: apply() logs what that costs, once it is
  /// wanted.
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
  std::string refused_;  // the kernel's reason not to load it; empty once it has been logged
};

}  // namespace tw::node
