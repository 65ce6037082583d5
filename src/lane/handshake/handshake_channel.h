// A lane and the handshake context talk through this: plain values through two
// bounded rings, one a direction. Either may run on any context; nothing else is shared between
// them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/spsc_ring.h"
#include "base/time.h"
#include "port/train.h"
#include "wg/keypair.h"
#include "wg/protocol.h"
#include "wire/address.h"
#include "wire/message/wg_message.h"

namespace tw::lane {

/// The longest handshake message is an initiation.
struct HandshakeBytes {
  std::uint16_t size = 0;
  std::array<std::uint8_t, wg_initiation_size> bytes{};

  /// False, and nothing copied, if it is too long.
  bool assign(ByteView datagram) noexcept {
    if (datagram.size() > bytes.size()) return false;
    std::copy(datagram.begin(), datagram.end(), bytes.begin());
    size = static_cast<std::uint16_t>(datagram.size());
    return true;
  }
  ByteView view() const noexcept { return {bytes.data(), size}; }
};

/// To the handshake context.
struct HandshakeRequest {
  enum class Kind : std::uint8_t {
    receive,   ///< a message from the wire
    initiate,  ///< the session of `peer` wants a keypair
    forget,    ///< the session has wiped its keypairs; wipe the handshake too
    release,   ///< receiver index `index` is out of use
  };
  Kind kind = Kind::receive;
  wg::PeerId peer{};
  std::uint32_t index = 0;
  Endpoint from{};
  LocalAddress local{};  ///< receive: which address of ours it came to
  HandshakeBytes message{};
};

/// Back to the worker that owns the peer.
struct HandshakeEvent {
  enum class Kind : std::uint8_t {
    send,         ///< send `message` to `to`, or to the peer's endpoint if that is empty
    reply,        ///< send `message` to `to`, who is no peer (yet)
    established,  ///< `keypair` is the peer's new one; it is at `to`
    gave_up,      ///< no answer for REKEY_ATTEMPT_TIME
  };
  Kind kind = Kind::send;
  wg::PeerId peer;
  std::optional<Endpoint> to;
  LocalAddress local;  ///< with `to`: which address of ours it has to do with
  WallTime wall;       ///< established: when, for people
  /// By pointer, so that no copy of a key stays behind in a slot of the ring.
  std::unique_ptr<wg::Keypair> keypair;
  HandshakeBytes message;
};

struct HandshakeChannel {
  /// A burst of 1,000 peers that all rekey at once fits.
  static constexpr std::size_t capacity = 2048;
  /// Some 20 ms of a flood of 100,000 a second fit in the half that it may have: as long as the
  /// handshake context may be away beside saturated data workers (see HandshakeGate).
  static constexpr std::size_t request_capacity = 4096;
  SpscRing<HandshakeRequest> requests{request_capacity};
  SpscRing<HandshakeEvent> events{capacity};
};

}  // namespace tw::lane
