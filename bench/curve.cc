// The curve operations of a handshake alone.
#include <fmt/format.h>

#include "crypto/primitives.h"
#include "crypto/x25519_key.h"
#include "limit.h"

namespace tw::bench {

std::string curve_limits() {
  const crypto::PrivateKey own = crypto::generate_private_key();
  const crypto::PublicKey other = crypto::public_key_of(crypto::generate_private_key());
  crypto::Secret<32> shared;
  bool sound = true;
  const double shared_ns =
      ns_per_operation(1, [&] { sound = crypto::x25519(own, other, shared) && sound; });
  TW_ASSERT(sound);  // a generated key is never of low order
  crypto::PublicKey made;
  const double base_ns = ns_per_operation(1, [&] { made = crypto::public_key_of(own); });
  TW_ASSERT(made == crypto::public_key_of(own));
  const crypto::X25519Key kept{own};
  const double kept_ns = ns_per_operation(1, [&] { sound = kept.derive(other, shared) && sound; });
  // A responder's four operations: one with its static key, and all three of its ephemeral key.
  const double responder_ns = ns_per_operation(1, [&] {
    const crypto::X25519Key ephemeral{own};
    sound = kept.derive(other, shared) && ephemeral.derive(other, shared) &&
            ephemeral.derive(other, shared) && sound;
  });
  TW_ASSERT(sound);
  return fmt::format(R"({{"x25519_us": {:.3f}, "base_point_us": {:.3f}, "x25519_kept_us": {:.3f}, )"
                     R"("responder_curve_us": {:.3f}}})",
                     shared_ns / 1e3, base_ns / 1e3, kept_ns / 1e3, responder_ns / 1e3);
}

}  // namespace tw::bench
