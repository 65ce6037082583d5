// mac1, mac2 and cookies (whitepaper, sections 5.3 and 5.4.4): who does not know our public key
// costs us one hash; and under load, who does not own the address it writes from costs us two.
//
// mac1 is keyed with the receiver's public key. A cookie is a mac over the sender's address and
// port under a secret that lives two minutes; mac2 is keyed with the cookie.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"
#include "crypto/primitives.h"
#include "crypto/secret.h"
#include "wire/address.h"
#include "wire/message/wg_message.h"

namespace tw::wg {

using Mac = std::array<std::uint8_t, 16>;
using Cookie = crypto::Secret<16>;

/// The two keys that follow from a public key (of whoever is to receive the message).
struct MacKeys {
  crypto::Hash mac1;
  crypto::SymmetricKey cookie;  ///< seals cookie replies
  static MacKeys of(const crypto::PublicKey& receiver) noexcept;
};

/// Returns true if the first mac of a whole initiation or response fits, under the `mac1` of
/// MacKeys. The cheapest check of all: one hash, no state.
bool mac1_valid(const crypto::Hash& key, ByteView message) noexcept;
/// Returns true if an initiation or response carries a second mac, good or not.
bool has_mac2(ByteView message) noexcept;

/// The receiving side: one for a device.
class CookieChecker {
 public:
  void set_public_key(const crypto::PublicKey& own) noexcept { keys_ = MacKeys::of(own); }

  bool mac1_valid(ByteView before_mac1, ByteView mac1) const noexcept;
  /// Returns true if the sender has proved, with a cookie of ours that is still good, that it
  /// receives at `from`.
  bool mac2_valid(ByteView before_mac2, ByteView mac2, const Endpoint& from, Instant now) noexcept;
  /// Writes the reply to a message with that sender index and mac1.
  void reply(std::uint32_t sender_index, ByteView mac1, const Endpoint& from, Instant now,
             std::span<std::uint8_t, wg_cookie_reply_size> out) noexcept;

  /// Wipes a secret that has lived its two minutes; the next reply makes a new one.
  void tick(Instant now) noexcept;
  Instant next_deadline() const noexcept;

 private:
  Cookie cookie_for(const Endpoint& from) const noexcept;
  bool secret_live(Instant now) const noexcept { return now < secret_until_; }

  MacKeys keys_{};
  crypto::SymmetricKey secret_;
  Instant secret_until_;  // origin: there is none
};

/// The sending side: one for a peer.
class CookieJar {
 public:
  /// Writes both macs of a message of which everything else is in place. mac2 is zero without a
  /// fresh cookie.
  void add_macs(ByteSpan message, const MacKeys& receiver, Instant now) noexcept;
  /// Takes the cookie of a reply to the last message that got its macs here. False, and nothing
  /// changed, if it is a reply to another, or to none.
  bool consume(const WgCookieReplyView& reply, const MacKeys& receiver, Instant now) noexcept;

 private:
  Cookie cookie_;
  Mac last_mac1_{};
  Instant cookie_until_;  // origin: there is none
  bool awaits_reply_ = false;
};

}  // namespace tw::wg
