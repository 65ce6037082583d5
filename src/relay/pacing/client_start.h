// Begins one connection's sending towards its client. If the client's path is known
// (client_rates.h), its window is opened as far as what that sustained fills it in an RTT, and
// leaves at that rate; then the congestion control goes on from there, as the system has it. Else
// nothing is changed. Meanwhile, and at the end, what was really delivered is learned.
//
//   waiting ──▶ starting ──▶ watching        (waiting ──▶ watching, if nothing is known)
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/time.h"
#include "relay/pacing/client_rates.h"
#include "relay/pacing/resumer.h"
#include "relay/settings.h"
#include "wire/address.h"

namespace tw::relay {

class ClientStart {
 public:
  /// So much is written between two looks at a download: a system call each.
  static constexpr std::uint64_t stretch_bytes = 256U << 10U;

  /// `socket`, accepted from `client`, stays the caller's; this goes first.
  ClientStart(std::shared_ptr<ClientRates> rates, const Principal& client, int socket,
              const ClientStartSettings& settings, Resumer& resumer) noexcept
      : rates_(std::move(rates)),
        client_(client),
        socket_(socket),
        cap_bps_(settings.cap_bps),
        most_(settings.initcwnd),
        resumer_(&resumer) {}
  ClientStart(ClientStart&& other) noexcept { *this = std::move(other); }
  ClientStart& operator=(ClientStart&& other) noexcept;
  ClientStart(const ClientStart&) = delete;
  ClientStart& operator=(const ClientStart&) = delete;
  /// Gives back what its start has, and learns nothing.
  ~ClientStart() { give_back(); }

  /// Just before the first byte: not at the accept, because a connection that says nothing must not
  /// keep what others could use. Once; cheap after that.
  void begin(Instant now) noexcept {
    if (phase_ == Phase::waiting) start(now);
  }
  /// After each turn, and when it is due. `total_bytes`: handed to the socket since it was opened.
  void on_written(std::uint64_t total_bytes, Instant now) noexcept;
  /// When the start is over; Instant::max() if there is none.
  Instant deadline() const noexcept { return deadline_; }
  /// Before the socket is closed: what it has delivered is learned.
  void finish(Instant now) noexcept;

 private:
  enum class Phase : std::uint8_t { waiting, starting, watching };

  void start(Instant now) noexcept;
  void end_start() noexcept;
  void give_back() noexcept;
  void learn(bool goes_on, Instant now) noexcept;

  std::shared_ptr<ClientRates> rates_;  // null: moved from
  Principal client_;
  int socket_ = -1;
  std::uint64_t cap_bps_ = 0, taken_bps_ = 0;
  std::uint32_t most_ = 0;  // segments
  Resumer* resumer_ = nullptr;
  Phase phase_ = Phase::waiting;
  Instant deadline_ = Instant::max();
  std::uint64_t look_at_ = stretch_bytes;
  std::uint64_t sent_ = 0, delivered_ = 0, retransmitted_ = 0;  // when last learned from
};

}  // namespace tw::relay
