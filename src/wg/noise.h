// The handshake itself, Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s (whitepaper, section 5.4): pure
// functions from messages and keys to messages and keys. Who the peers are, when to send and what
// to refuse for other reasons is the Handshaker's.
//
//   initiator: create_initiation ────────────▶ open_initiation, authenticate_initiation :responder
//              consume_response  ◀──────────── create_response
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "crypto/primitives.h"
#include "crypto/secret.h"
#include "crypto/x25519_key.h"
#include "wg/keypair.h"
#include "wg/tai64n.h"
#include "wire/message/wg_message.h"

namespace tw::wg {

/// Our own static key, with its public half computed once, ready for curve operations.
struct Identity {
  crypto::X25519Key key;
  crypto::PublicKey public_key;
  /// `key` is clamped here. Cost: one curve operation.
  static Identity of(const crypto::PrivateKey& key) noexcept;
};

/// The state that both sides mix as the messages go by; the initiator keeps it while it waits.
struct HandshakeState {
  crypto::Secret<32> chaining_key;
  crypto::Hash hash{};
  crypto::PrivateKey ephemeral;        ///< the initiator's; the responder's is never kept
  crypto::PublicKey remote_ephemeral;  ///< the initiator's, at the responder
  std::uint32_t initiator_index = 0;
};

/// DH(our static, the peer's static). Empty for a low-order public key. Cost: one curve operation,
/// worth keeping: every handshake with the peer needs it.
std::optional<crypto::Secret<32>> static_secret(const Identity& self,
                                                const crypto::PublicKey& peer) noexcept;

/// Writes an initiation but for its macs, which are left zero. `ephemeral` must be fresh; that it
/// is an argument lets tests know the bytes. Empty if the peer's public key is of low order. Cost:
/// two curve operations.
std::optional<HandshakeState> create_initiation(
    const Identity& self, const crypto::PublicKey& peer, const crypto::Secret<32>& static_static,
    const crypto::PrivateKey& ephemeral, const Tai64n& timestamp, std::uint32_t sender_index,
    std::span<std::uint8_t, wg_initiation_size> out) noexcept;

/// An initiation of which we know so far who claims to have sent it.
struct OpenedInitiation {
  HandshakeState state;
  crypto::PublicKey claimed;
};
/// First step at the responder, for anyone: decrypts the sender's static key. Cost: one curve
/// operation.
std::optional<OpenedInitiation> open_initiation(const Identity& self,
                                                const WgInitiationView& message) noexcept;
/// Second step: proves that the sender holds that static key, and advances `state`. Empty if not.
/// No curve operation.
std::optional<Tai64n> authenticate_initiation(const crypto::Secret<32>& static_static,
                                              const WgInitiationView& message,
                                              HandshakeState& state) noexcept;

/// Writes a response but for its macs, and yields the responder's keypair. `state` is that of the
/// authenticated initiation. Empty if the initiator's keys are of low order. Cost: three curve
/// operations.
std::optional<Keypair> create_response(const HandshakeState& state, const crypto::PublicKey& peer,
                                       const crypto::PresharedKey& preshared_key,
                                       const crypto::PrivateKey& ephemeral,
                                       std::uint32_t sender_index, Instant now,
                                       std::span<std::uint8_t, wg_response_size> out) noexcept;

/// The initiator's keypair, if the response is the peer's answer to the initiation that left
/// `state` behind. Cost: two curve operations.
std::optional<Keypair> consume_response(const Identity& self, const HandshakeState& state,
                                        const crypto::PresharedKey& preshared_key,
                                        const WgResponseView& message, Instant now) noexcept;

}  // namespace tw::wg
