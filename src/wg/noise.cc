#include "wg/noise.h"

#include <algorithm>
#include <array>
#include <utility>

#include "wire/be.h"

namespace tw::wg {
namespace {

using crypto::Secret;

constexpr std::string_view construction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
constexpr std::string_view identifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";

// Offsets of the fields that are written here (section 5.4.2 and 5.4.3).
constexpr std::size_t initiation_ephemeral = 8, initiation_static = 40, initiation_timestamp = 88;
constexpr std::size_t response_ephemeral = 12, response_nothing = 44;

/// KDF_N(chaining key, input) of section 5.4: HKDF over HMAC-BLAKE2s, N outputs.
template <std::size_t N>
std::array<Secret<32>, N> derive(const Secret<32>& chaining_key, ByteView input) noexcept {
  std::array<Secret<32>, N> outputs;
  const Secret<32> extracted = crypto::hmac_blake2s(chaining_key.view(), {input});
  for (std::size_t at = 0; at < N; ++at) {
    const std::uint8_t number = static_cast<std::uint8_t>(at + 1);
    const ByteView before = at == 0 ? ByteView{} : outputs[at - 1].view();
    outputs[at] = crypto::hmac_blake2s(extracted.view(), {before, {&number, 1}});
  }
  return outputs;
}

void mix_hash(HandshakeState& state, ByteView bytes) noexcept {
  state.hash = crypto::blake2s({state.hash, bytes});
}

/// An ephemeral public key goes into both, so that the preshared key is never mixed into a
/// predictable chain.
void mix_ephemeral(HandshakeState& state, ByteView public_key) noexcept {
  mix_hash(state, public_key);
  state.chaining_key = derive<1>(state.chaining_key, public_key)[0];
}

/// MixKey(DH result): advances the chain and yields the key of the next field.
Secret<32> mix_key(HandshakeState& state, const Secret<32>& shared) noexcept {
  auto [chaining_key, key] = derive<2>(state.chaining_key, shared.view());
  state.chaining_key = chaining_key;
  return key;
}

void seal_field(HandshakeState& state, const Secret<32>& key, ByteView plain,
                ByteSpan out) noexcept {
  crypto::seal(key, 0, plain, state.hash, out);
  mix_hash(state, out);
}

bool open_field(HandshakeState& state, const Secret<32>& key, ByteView sealed,
                ByteSpan out) noexcept {
  if (!crypto::open(key, 0, sealed, state.hash, out)) return false;
  mix_hash(state, sealed);
  return true;
}

/// Returns the state that both sides begin with: the responder's static key is known to both.
HandshakeState begin(const crypto::PublicKey& responder) noexcept {
  static const crypto::Hash first_key = crypto::blake2s({as_bytes(construction)});
  static const crypto::Hash first_hash = crypto::blake2s({first_key, as_bytes(identifier)});
  HandshakeState state;
  state.chaining_key = Secret<32>{first_key};
  state.hash = first_hash;
  mix_hash(state, responder.bytes);
  return state;
}

/// KDF_3 with the preshared key, last: a zero one costs the same as any.
Secret<32> mix_preshared(HandshakeState& state,
                         const crypto::PresharedKey& preshared_key) noexcept {
  auto [chaining_key, tau, key] = derive<3>(state.chaining_key, preshared_key.view());
  state.chaining_key = chaining_key;
  mix_hash(state, tau.view());
  return key;
}

/// Section 5.4.5: the last chaining key gives both directions their keys.
Keypair transport_keys(const HandshakeState& state, bool is_initiator, Instant now) noexcept {
  auto [first, second] = derive<2>(state.chaining_key, {});
  Keypair keypair;
  keypair.send_key = is_initiator ? first : second;
  keypair.receive_key = is_initiator ? second : first;
  keypair.is_initiator = is_initiator;
  keypair.created = now;
  return keypair;
}

crypto::PublicKey key_of(Field<32> field) noexcept {
  crypto::PublicKey key;
  std::copy(field.begin(), field.end(), key.bytes.begin());
  return key;
}

}  // namespace

Identity Identity::of(const crypto::PrivateKey& key) noexcept {
  crypto::X25519Key own{crypto::clamped(key)};
  const crypto::PublicKey public_key = own.public_key();
  return {.key = std::move(own), .public_key = public_key};
}

std::optional<Secret<32>> static_secret(const Identity& self,
                                        const crypto::PublicKey& peer) noexcept {
  Secret<32> shared;
  if (!self.key.derive(peer, shared)) return std::nullopt;
  return shared;
}

std::optional<HandshakeState> create_initiation(
    const Identity& self, const crypto::PublicKey& peer, const Secret<32>& static_static,
    const crypto::PrivateKey& ephemeral, const Tai64n& timestamp, std::uint32_t sender_index,
    std::span<std::uint8_t, wg_initiation_size> out) noexcept {
  const crypto::X25519Key own{ephemeral};  // also for its public half
  Secret<32> shared;
  if (!own.derive(peer, shared)) return std::nullopt;

  HandshakeState state = begin(peer);
  state.ephemeral = ephemeral;
  state.initiator_index = sender_index;
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  store_le32(out, 0, std::to_underlying(WgType::initiation));
  store_le32(out, 4, sender_index);

  const auto field = out.subspan<initiation_ephemeral, 32>();
  std::copy(own.public_key().bytes.begin(), own.public_key().bytes.end(), field.begin());
  mix_ephemeral(state, field);
  seal_field(state, mix_key(state, shared), self.public_key.bytes,
             out.subspan<initiation_static, 48>());
  seal_field(state, mix_key(state, static_static), timestamp.bytes,
             out.subspan<initiation_timestamp, 28>());
  return state;
}

std::optional<OpenedInitiation> open_initiation(const Identity& self,
                                                const WgInitiationView& message) noexcept {
  OpenedInitiation opened{.state = begin(self.public_key), .claimed = {}};
  opened.state.remote_ephemeral = key_of(message.ephemeral);
  opened.state.initiator_index = message.sender_index;
  Secret<32> shared;
  if (!self.key.derive(opened.state.remote_ephemeral, shared)) return std::nullopt;
  mix_ephemeral(opened.state, message.ephemeral);
  const Secret<32> key = mix_key(opened.state, shared);
  if (!open_field(opened.state, key, message.sealed_static, opened.claimed.bytes)) {
    return std::nullopt;
  }
  return opened;
}

std::optional<Tai64n> authenticate_initiation(const Secret<32>& static_static,
                                              const WgInitiationView& message,
                                              HandshakeState& state) noexcept {
  Tai64n timestamp;
  const Secret<32> key = mix_key(state, static_static);
  if (!open_field(state, key, message.sealed_timestamp, timestamp.bytes)) return std::nullopt;
  return timestamp;
}

std::optional<Keypair> create_response(const HandshakeState& state, const crypto::PublicKey& peer,
                                       const crypto::PresharedKey& preshared_key,
                                       const crypto::PrivateKey& ephemeral,
                                       std::uint32_t sender_index, Instant now,
                                       std::span<std::uint8_t, wg_response_size> out) noexcept {
  const crypto::X25519Key own{ephemeral};  // for two derivations and its public half
  Secret<32> with_ephemeral;
  Secret<32> with_static;
  if (!own.derive(state.remote_ephemeral, with_ephemeral)) return std::nullopt;
  if (!own.derive(peer, with_static)) return std::nullopt;

  HandshakeState mixed = state;
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  store_le32(out, 0, std::to_underlying(WgType::response));
  store_le32(out, 4, sender_index);
  store_le32(out, 8, state.initiator_index);

  const auto field = out.subspan<response_ephemeral, 32>();
  std::copy(own.public_key().bytes.begin(), own.public_key().bytes.end(), field.begin());
  mix_ephemeral(mixed, field);
  mix_key(mixed, with_ephemeral);
  mix_key(mixed, with_static);
  const Secret<32> key = mix_preshared(mixed, preshared_key);
  seal_field(mixed, key, {}, out.subspan<response_nothing, 16>());

  Keypair keypair = transport_keys(mixed, false, now);
  keypair.local_index = sender_index;
  keypair.remote_index = state.initiator_index;
  return keypair;
}

std::optional<Keypair> consume_response(const Identity& self, const HandshakeState& state,
                                        const crypto::PresharedKey& preshared_key,
                                        const WgResponseView& message, Instant now) noexcept {
  const crypto::PublicKey remote_ephemeral = key_of(message.ephemeral);
  Secret<32> with_ephemeral;
  Secret<32> with_static;
  if (!crypto::x25519(state.ephemeral, remote_ephemeral, with_ephemeral)) return std::nullopt;
  if (!self.key.derive(remote_ephemeral, with_static)) return std::nullopt;

  HandshakeState mixed = state;
  mix_ephemeral(mixed, message.ephemeral);
  mix_key(mixed, with_ephemeral);
  mix_key(mixed, with_static);
  const Secret<32> key = mix_preshared(mixed, preshared_key);
  if (!open_field(mixed, key, message.sealed_nothing, {})) return std::nullopt;

  Keypair keypair = transport_keys(mixed, true, now);
  keypair.local_index = state.initiator_index;
  keypair.remote_index = message.sender_index;
  return keypair;
}

}  // namespace tw::wg
