// What relay.client_start needs of the kernel: the congestion control that opens windows
// (port/initial_window.h). It is loaded before the node drops its privileges, if the configuration
// it starts with wants it; registered while it is wanted.
#pragma once

#include <optional>
#include <string>

#include "port/initial_window.h"
#include "relay/settings.h"

namespace tw::node {

class WindowOpener {
 public:
  /// Before privileges are dropped. A kernel that refuses is no reason not to start: one line in
  /// the log says so, here or from apply().
  void prepare(const relay::ClientStartSettings& settings);
  /// Brings the kernel to what `settings` want. Returns RelaySettings::window_control: empty if it
  /// is off, or cannot be had any more.
  std::string apply(const relay::ClientStartSettings& settings);
  void close() noexcept;

 private:
  std::optional<InitialWindow> window_;
};

}  // namespace tw::node
