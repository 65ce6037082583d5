#include "node/window_opener.h"

#include <cerrno>
#include <utility>

#include "base/log.h"

namespace tw::node {

void WindowOpener::prepare(const relay::ClientStartSettings& settings) {
  if (!settings.enabled || window_) return;
  Result<InitialWindow> loaded = InitialWindow::load();
  if (loaded) {
    window_ = std::move(*loaded);
  } else if (loaded.error().os_errno == EPERM) {
    log::warning(
        "relay.client_start has no effect until the node is restarted with it: {} (a node that "
        "runs has dropped what that needs)",
        loaded.error().text());
  } else {
    log::warning("relay.client_start has no effect: {} (it takes Linux 6.4, with BTF)",
                 loaded.error().text());
  }
}

std::string WindowOpener::apply(const relay::ClientStartSettings& settings) {
  if (!settings.enabled) {
    close();
    return {};
  }
  prepare(settings);
  if (!window_) return {};
  window_->set_most(settings.initcwnd);
  if (Result<void> enabled = window_->enable(); !enabled) {
    log::warning("relay.client_start has no effect: {}", enabled.error().text());
    return {};
  }
  return window_->name();
}

void WindowOpener::close() noexcept {
  if (window_) window_->disable();
}

}  // namespace tw::node
