// The result of a handshake: two transport keys and two receiver indices. Made by the Handshaker,
// moved to the worker that owns the peer, wiped there.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "crypto/secret.h"

namespace tw::wg {

struct Keypair {
  crypto::SymmetricKey send_key;
  crypto::SymmetricKey receive_key;
  std::uint32_t local_index = 0;   ///< ours: what the peer writes into its packets' receiver field
  std::uint32_t remote_index = 0;  ///< the peer's
  Instant created;
  bool is_initiator =
      false;  ///< the initiator may send at once, the responder after a first packet
  /// Its initiator has the smaller public key: of two handshakes that crossed, this one is kept.
  /// Both ends compute the same.
  bool outlasts = false;
};

}  // namespace tw::wg
