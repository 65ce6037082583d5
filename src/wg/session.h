// The data side of one peer: up to three keypairs, the counters, and the timers that follow from
// packets sent and received. Owned by one worker. Sans-I/O: it is told what happened and says what is
// to be done; ciphers and queues belong to the lane.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/drop.h"
#include "base/time.h"
#include "wg/keypair.h"
#include "wg/protocol.h"
#include "wg/replay_window.h"

namespace tw::wg {

/// A keypair in use.
struct LiveKeypair {
  Keypair keys;
  std::uint64_t next_counter = 0;  ///< of the next packet sealed
  ReplayWindow window;
};

/// What a session asks of its lane; several may be set at once.
struct SessionActions {
  bool initiate = false;        ///< ask the Handshaker for a new keypair
  bool send_keepalive = false;  ///< seal and send an empty packet
  bool wiped = false;           ///< all keypairs are gone: tell the Handshaker to forget() too
  bool staged_expired = false;  ///< drop what waits for a handshake
};

class Session {
 public:
  explicit Session(Duration persistent_keepalive = Duration::zero()) noexcept;

  /// A new keypair. An initiator's becomes current at once; a responder's is `next` until the first
  /// packet is received under it. Receiver indices that went out of use are appended to `released`
  /// (at most three).
  void install(Keypair&& keypair, Instant now, struct ReleasedIndices& released) noexcept;

  /// A counter and key to seal one packet with; null if there is no usable keypair (then initiate).
  /// The returned keypair lives until the next call that takes `released`.
  struct SealSlot {
    const LiveKeypair* keypair;
    std::uint64_t counter;
  };
  std::optional<SealSlot> next_seal(Instant now) noexcept;

  /// The keypair with this receiver index, if packets may still be opened with it.
  LiveKeypair* find(std::uint32_t local_index) noexcept;
  /// Before opening: empty, or keypair_expired.
  static std::optional<Drop> may_open(const LiveKeypair& keypair, std::uint64_t counter,
                                      Instant now) noexcept;

  /// After the tag has verified: replay check, confirmation of a responder's keypair, timers.
  /// Returns `replayed`, or empty if the packet may be delivered.
  std::optional<Drop> authenticated(LiveKeypair& keypair, std::uint64_t counter, bool is_keepalive,
                                    Instant now, struct ReleasedIndices& released,
                                    SessionActions& actions) noexcept;
  /// After a packet went to the wire: `is_keepalive` if it was empty.
  void sent(bool is_keepalive, Instant now, SessionActions& actions) noexcept;
  /// A handshake message of this peer was sent or received under authentication (timers only).
  void handshake_sent(Instant now) noexcept;
  void handshake_received(Instant now) noexcept;
  /// The lane has something to send and no keypair: when did the waiting begin?
  void staged(Instant now) noexcept;
  void gave_up(Instant now, SessionActions& actions) noexcept;

  void set_persistent_keepalive(Duration interval, Instant now, SessionActions& actions) noexcept;
  /// Timers that are due. Never more often than next_deadline() says.
  SessionActions tick(Instant now, struct ReleasedIndices& released) noexcept;
  Instant next_deadline() const noexcept;

  /// Wipes every keypair and stops the timers (interface down, private key changed, peer removed).
  void clear(struct ReleasedIndices& released) noexcept;

  /// Zero if there never was one. Wall-clock, for `wg show`.
  WallTime last_handshake() const noexcept;
  void set_last_handshake(WallTime wall) noexcept;
  bool has_usable_keypair(Instant now) const noexcept;
};

}  // namespace tw::wg
