// The data side of one peer: up to three keypairs, the counters, and the timers that follow from
// packets sent and received. Owned by one worker. Sans-I/O: it is told what happened and says what
// is to be done; ciphers and queues belong to the lane.
//
// An idle peer costs a few dozen words: a keypair (1 KB of replay window) is allocated when a
// handshake completes and freed when it goes out of use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/assert.h"
#include "base/drop.h"
#include "base/time.h"
#include "wg/keypair.h"
#include "wg/protocol.h"
#include "wg/replay_window.h"

namespace tw::wg {

/// A keypair in use. They lie together, in pages of their own (base/page_slab.h): thousands of
/// peers that fall silent give that memory back. A session has three at most, which bounds them.
struct LiveKeypair {
  static void* operator new(std::size_t bytes);
  static void operator delete(void* keypair) noexcept;

  Keypair keys;
  std::uint64_t next_counter = 0;  ///< of the next packet sealed
  ReplayWindow window;
};

/// A session's requests to its lane, to be done in this order; several may be set at once. The
/// session only ever sets them.
struct SessionActions {
  bool wiped = false;           ///< all keypairs are gone: tell the Handshaker to forget() too
  bool staged_expired = false;  ///< drop what waits for a handshake
  /// Drop what has waited for staged_wait_max, and say with still_staged() if that was not all.
  bool staged_overdue = false;
  /// The keypair of a handshake that the peer began is in use now: what is staged may go, and the
  /// Handshaker may forget() a handshake of our own that is still under way.
  bool confirmed = false;
  bool initiate = false;  ///< ask the Handshaker for a new keypair
  /// Seal and send what is staged or, if nothing is, an empty packet.
  bool send_keepalive = false;
};

/// Keypairs that went out of use in one call. Their receiver indices go back to where indices come
/// from; the keypairs themselves live, and can no longer be used, until this is cleared or
/// destroyed: packets under way may refer to them until then.
class ReleasedKeypairs {
 public:
  std::span<const std::uint32_t> indices() const noexcept { return {indices_.data(), count_}; }
  bool empty() const noexcept { return count_ == 0; }
  /// Wipes the keypairs.
  void clear() noexcept {
    while (count_ > 0) keypairs_[--count_].reset();
  }
  void push(std::unique_ptr<LiveKeypair> keypair) noexcept {
    TW_ASSERT(count_ < keypairs_.size());
    indices_[count_] = keypair->keys.local_index;
    keypairs_[count_++] = std::move(keypair);
  }

 private:
  static constexpr std::size_t capacity = 3;  // a session has no more keypairs than that
  std::array<std::unique_ptr<LiveKeypair>, capacity> keypairs_{};
  std::array<std::uint32_t, capacity> indices_{};
  std::size_t count_ = 0;
};

/// Movable; the LiveKeypairs it hands out stay where they are. Times are those of the caller's one
/// clock. Every `released` must have room for three: empty it between calls.
class Session {
 public:
  /// With a persistent keepalive the first tick() asks for a packet, as a peer behind a NAT needs.
  explicit Session(Duration persistent_keepalive = Duration::zero()) noexcept;

  /// A new keypair. An initiator's becomes current at once, and the actions ask for the packet that
  /// tells the responder so; a responder's is `next` until the first packet is received under it.
  /// Where two handshakes crossed, either end seals under its own until packets of the peer show
  /// that it has the one that outlasts: that is then kept by both. Keypairs that went out of use
  /// are appended to `released` (at most two). Counts as a handshake message received and, for a
  /// responder, sent.
  void install(Keypair&& keypair, Instant now, ReleasedKeypairs& released,
               SessionActions& actions) noexcept;

  /// A counter and key to seal one packet with; empty if there is no usable keypair (then stage the
  /// packet and call staged()). The keypair lives until what the next call that takes `released`
  /// has put there is cleared.
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
  /// Returns `replayed`, `keypair_expired` if the session has released the keypair meanwhile, or
  /// empty if the packet may be delivered.
  std::optional<Drop> authenticated(LiveKeypair& keypair, std::uint64_t counter, bool is_keepalive,
                                    Instant now, ReleasedKeypairs& released,
                                    SessionActions& actions) noexcept;
  /// After a packet went to the wire: `is_keepalive` if it was empty.
  void sent(bool is_keepalive, Instant now, SessionActions& actions) noexcept;
  /// A handshake message of this peer was sent or received under authentication (timers only).
  void handshake_sent(Instant now) noexcept;
  void handshake_received(Instant now) noexcept;
  /// The lane has put something aside for want of a keypair. Asks for a handshake, at most once in
  /// REKEY_TIMEOUT however often it is called; after staged_wait_max without a keypair, tick() says
  /// staged_overdue.
  void staged(Instant now, SessionActions& actions) noexcept;
  /// After staged_overdue: what is left was staged at `oldest` or later.
  void still_staged(Instant oldest) noexcept { staged_until_ = oldest + staged_wait_max; }
  /// The Handshaker's gave_up(): what is staged is to be dropped.
  void gave_up(Instant now, SessionActions& actions) noexcept;

  /// Zero turns it off. Switching it on asks for a packet at once; an interface that comes up again
  /// after clear() calls this with the old interval.
  void set_persistent_keepalive(Duration interval, Instant now, SessionActions& actions) noexcept;
  Duration persistent_keepalive() const noexcept { return persistent_keepalive_; }
  /// Timers that are due. Never more often than next_deadline() says.
  SessionActions tick(Instant now, ReleasedKeypairs& released) noexcept;
  Instant next_deadline() const noexcept;

  /// Wipes every keypair and stops the timers (interface down, private key changed, peer removed).
  void clear(ReleasedKeypairs& released) noexcept;

  /// Zero if there never was one. Wall-clock, for `wg show`.
  WallTime last_handshake() const noexcept { return last_handshake_; }
  void set_last_handshake(WallTime wall) noexcept { last_handshake_ = wall; }
  bool has_usable_keypair(Instant now) const noexcept;

 private:
  void ask(Instant now, SessionActions& actions) noexcept;
  void ask_for_packet(Instant now, SessionActions& actions) noexcept;
  void confirm(ReleasedKeypairs& released, SessionActions& actions) noexcept;
  void settle_crossing() noexcept;
  void drop_keypairs(ReleasedKeypairs& released) noexcept;
  void packet_sent(Instant now) noexcept;
  void packet_received(Instant now) noexcept;
  void packet_passed(Instant now) noexcept;

  std::unique_ptr<LiveKeypair> previous_;  // only for packets still on their way
  std::unique_ptr<LiveKeypair> current_;   // seals, and opens
  std::unique_ptr<LiveKeypair> next_;      // a responder's, until the initiator has used it

  // Each Instant is max() while its timer is not armed.
  Instant keepalive_at_ = Instant::max();   // data came and nothing has gone back
  Instant silence_at_ = Instant::max();     // data went and nothing has come back
  Instant wipe_at_ = Instant::max();        // REJECT_AFTER_TIME * 3 after the last new keypair
  Instant staged_until_ = Instant::max();   // staged packets have waited long enough
  Instant persistent_at_ = Instant::max();  // nothing has passed either way for the interval
  Instant may_ask_at_;                      // no second request for a handshake before this
  Duration persistent_keepalive_;
  WallTime last_handshake_{};
  bool asked_late_ = false;  // the current keypair's last-minute rekey was asked for
  /// The number of times that a packet received under `previous_` may still make it the current
  /// one.
  std::uint8_t exchanges_left_ = 0;
};

}  // namespace tw::wg
