// Which handshake messages a data worker lets through to the handshake context. The ring between
// the two is bounded, so what is forged must die before it, or it keeps out what is genuine: a
// message without a valid mac1 is dropped here, and one that carries no mac2 (whoever knows our
// public key can make any number, from any address) finds half of the ring closed.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/drop.h"
#include "lane/handshake_channel.h"
#include "port/train.h"
#include "wg/cookie.h"

namespace tw::lane {

class HandshakeGate {
 public:
  /// Slots of the ring that messages from the wire may not take: our own wishes must find room.
  static constexpr std::size_t reserved_for_wishes = 256;
  /// Slots that initiations without a second mac may take.
  static constexpr std::size_t for_unproven = HandshakeChannel::request_capacity / 2;

  /// `channel` must outlive this.
  explicit HandshakeGate(HandshakeChannel& channel) noexcept : channel_(channel) {}

  /// Our own static key. Empty, as to begin with: nothing passes.
  void set_public_key(const std::optional<crypto::PublicKey>& own) noexcept;

  /// Hands on a message of type 1, 2 or 3 that came in `train`. Empty if that was done, else why
  /// not. Cost: one hash, a copy; never allocates.
  std::optional<Drop> pass(ByteView message, const Train& train) noexcept;

 private:
  HandshakeChannel& channel_;
  std::optional<crypto::Hash> mac1_key_;
};

}  // namespace tw::lane
