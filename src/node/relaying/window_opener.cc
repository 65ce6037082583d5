#include "node/relaying/window_opener.h"

#include <utility>

#include "base/log.h"

namespace tw::node {

namespace {

constexpr std::uint64_t bits_per_byte = 8;

CarefulResume::Probe probe_of(relay::Resumer::Probe probe) noexcept {
  switch (probe) {
    case relay::Resumer::Probe::nothing:
      return CarefulResume::Probe::nothing;
    case relay::Resumer::Probe::little:
      return CarefulResume::Probe::little;
    case relay::Resumer::Probe::much:
      break;
  }
  return CarefulResume::Probe::much;
}

}  // namespace

void WindowOpener::prepare() {
  if (resume_) return;
  Result<CarefulResume> loaded = CarefulResume::load();
  if (loaded) {
    resume_ = std::move(*loaded);
  } else {
    refused_ = loaded.error().text();
  }
}

relay::Resumer* WindowOpener::apply(const relay::RelaySettings& settings) {
  if (!settings.turbo.pacing && !settings.client_start.enabled) {
    close();
    return nullptr;
  }
  if (!resume_) {
    const std::string refused = std::exchange(refused_, {});
    if (refused.empty()) return nullptr;
    log::warning(
        "legs to other PoPs start with their route's window, and relay.client_start has no effect: "
        "{} (it takes Linux 6.4, with BTF)",
        refused);
    return nullptr;
  }
  if (Result<void> enabled = resume_->enable(); !enabled) {
    log::warning("legs and clients start as the system does: {}", enabled.error().text());
    return nullptr;
  }
  return this;
}

void WindowOpener::close() noexcept {
  if (resume_) resume_->disable();
}

// A socket that refuses has failed, and says so itself.
bool WindowOpener::resume(int socket, const Start& start) noexcept {
  return resume_ && resume_
                        ->begin(socket, {.bytes_per_s = start.rate_bps / bits_per_byte,
                                         .window = start.window,
                                         .probe = probe_of(start.probe)})
                        .has_value();
}

void WindowOpener::announce(int socket) noexcept {
  if (resume_) static_cast<void>(resume_->acknowledge(socket));
}

std::optional<relay::Resumer::Found> WindowOpener::found(int socket) noexcept {
  if (!resume_) return std::nullopt;
  const auto reached = resume_->reached(socket);
  if (!reached) return std::nullopt;
  return Found{.rate_bps = reached->bytes_per_s * bits_per_byte,
               .is_full = reached->is_full,
               .over = reached->over};
}

}  // namespace tw::node
