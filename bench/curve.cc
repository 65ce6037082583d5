// The curve operations of a handshake alone.
#include <fmt/format.h>

#include "crypto/primitives.h"
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
  return fmt::format(R"({{"x25519_us": {:.3f}, "base_point_us": {:.3f}}})", shared_ns / 1e3,
                     base_ns / 1e3);
}

}  // namespace tw::bench
