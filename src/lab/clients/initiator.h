// The handshakes of one client, which is always the one who begins: the initiator's half of
// wg/noise.h with a cookie jar and a clock that only grows. (wg::Handshaker is a whole device with
// one key and many peers; here it is many keys with one peer each, and every one may begin again as
// soon as the target allows.)
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/time.h"
#include "wg/cookie.h"
#include "wg/keypair.h"
#include "wg/noise.h"
#include "wire/message/wg_message.h"

namespace tw::lab {

/// The device that all initiators talk to.
struct HandshakeTarget {
  crypto::PublicKey public_key;
  wg::MacKeys mac_keys;
  static HandshakeTarget of(const crypto::PublicKey& key) noexcept {
    return {key, wg::MacKeys::of(key)};
  }
};

class Initiator {
 public:
  /// `target` must outlive this. Cost: two curve operations.
  Initiator(const crypto::PrivateKey& key, const HandshakeTarget& target) noexcept;

  /// Writes an initiation, which takes the place of one under way. False if the target's key is of
  /// low order. Cost: two curve operations.
  bool begin(std::uint32_t index, Instant now, WallTime wall,
             std::span<std::uint8_t, wg_initiation_size> out) noexcept;
  /// The keypair, if the message answers the initiation under way. Cost: two curve operations.
  std::optional<wg::Keypair> answered(const WgResponseView& message, Instant now) noexcept;
  /// Keeps a cookie for the next initiation. False if it is none of the target's.
  bool cookie(const WgCookieReplyView& message, Instant now) noexcept;
  void forget() noexcept { pending_.reset(); }

  bool is_waiting() const noexcept { return pending_.has_value(); }
  Instant sent_at() const noexcept { return sent_at_; }

 private:
  const HandshakeTarget& target_;
  wg::Identity self_;
  std::optional<crypto::Secret<32>> static_secret_;
  std::optional<wg::HandshakeState> pending_;
  wg::CookieJar cookie_;
  wg::Tai64n timestamp_;
  Instant sent_at_;
};

}  // namespace tw::lab
