// The key by which two PoPs prove to each other that a leg is theirs: of their WireGuard
// identities, so that whoever may be the peer in the tunnel, and nobody else, may be the PoP.
#pragma once

#include <optional>

#include "crypto/secret.h"

namespace tw::relay {

using LegKey = crypto::SymmetricKey;

/// The same on both sides: KDF(label ‖ both public keys, DH(static, static), preshared key), with
/// the KDF of the WireGuard paper, section 5.4. Empty if there can be none: no private key (all
/// zero), or a public key that is no proper point. Two curve operations: once for a pair, not for a
/// leg. Whatever else was computed on the way is wiped.
std::optional<LegKey> derive_leg_key(const crypto::PrivateKey& ours,
                                     const crypto::PublicKey& theirs,
                                     const crypto::PresharedKey& preshared) noexcept;

}  // namespace tw::relay
