#include "relay/proof/leg_key.h"

#include <algorithm>
#include <array>

#include "crypto/primitives.h"

namespace tw::relay {
namespace {

// KDF1 of the paper.
crypto::Secret<32> mixed(ByteView chaining_key, ByteView input) noexcept {
  constexpr std::uint8_t one = 1;
  const crypto::Secret<32> extracted = crypto::hmac_blake2s(chaining_key, {input});
  return crypto::hmac_blake2s(extracted.view(), {{&one, 1}});
}

}  // namespace

std::optional<LegKey> derive_leg_key(const crypto::PrivateKey& ours,
                                     const crypto::PublicKey& theirs,
                                     const crypto::PresharedKey& preshared) noexcept {
  if (ours.is_zero()) return std::nullopt;
  crypto::Secret<32> shared;
  if (!crypto::x25519(ours, theirs, shared)) return std::nullopt;
  const crypto::PublicKey own = crypto::public_key_of(ours);
  const auto [first, second] = std::minmax(own, theirs);
  const crypto::Hash identities =
      crypto::blake2s({as_bytes("Thalweg leg proof v1"), first.bytes, second.bytes});
  const crypto::Secret<32> of_both = mixed(identities, shared.view());
  return mixed(of_both.view(), preshared.view());
}

}  // namespace tw::relay
