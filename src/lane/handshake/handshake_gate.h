// Selects the handshake messages that a data worker lets through to the handshake context. The ring
// between the two is bounded, so forged messages must die before it, or they keep out the genuine:
// a message without a valid mac1 is dropped here, and one that carries no mac2 (anybody who knows
// our public key can make any number, from any address) finds half of the ring closed. A sender
// that has had a handshake from its address before finds an eighth more open that strangers cannot
// fill, and from its address and port another: an established peer renews its session in a flood of
// them, even if they share its address, as behind a NAT.
#pragma once

#include <cstddef>
#include <optional>

#include "base/bytes.h"
#include "base/drop.h"
#include "lane/handshake/handshake_channel.h"
#include "lane/handshake/known_sources.h"
#include "port/train.h"
#include "wg/cookie.h"

namespace tw::lane {

class HandshakeGate {
 public:
  /// Slots of the ring that messages from the wire may not take: our own wishes must find room.
  static constexpr std::size_t reserved_for_wishes = 256;
  /// Slots that initiations without a second mac may take, from a stranger, from a known address,
  /// and from a known address and port.
  static constexpr std::size_t for_unproven = HandshakeChannel::request_capacity / 2;
  static constexpr std::size_t for_known_address = HandshakeChannel::request_capacity / 8 * 5;
  static constexpr std::size_t for_known = HandshakeChannel::request_capacity / 4 * 3;

  /// Both must outlive this.
  HandshakeGate(HandshakeChannel& channel, KnownSources& known) noexcept
      : channel_(channel), known_(known) {}

  /// Our own static key. Empty, as to begin with: nothing passes.
  void set_public_key(const std::optional<crypto::PublicKey>& own) noexcept;

  /// A handshake with this source has completed.
  void remember(const Endpoint& source) noexcept { known_.remember(source); }

  /// Hands on a message of type 1, 2 or 3 that came in `train`. Empty if that was done, else why
  /// not. Cost: one hash, a copy; never allocates.
  std::optional<Drop> pass(ByteView message, const Train& train) noexcept;

 private:
  std::size_t room_for(const Endpoint& source) const noexcept;

  HandshakeChannel& channel_;
  KnownSources& known_;
  std::optional<crypto::Hash> mac1_key_;
};

}  // namespace tw::lane
