// Finds handshakes: the peers of a Handshaker by slot, public key and receiver index, and
// the deadlines of their retries in order. Private to handshaker.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/slot_array.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "wg/cookie.h"
#include "wg/handshaker.h"
#include "wg/noise.h"
#include "wg/protocol.h"
#include "wg/tai64n.h"

namespace tw::wg {

struct HandshakeEntry {
  PeerId id;
  crypto::PublicKey public_key;
  crypto::PresharedKey preshared_key;
  MacKeys mac_keys;
  CookieJar cookie;

  std::optional<crypto::Secret<32>> static_secret;  // computed at first use
  bool low_order = false;                           // it came out as zero: no handshake, ever

  Tai64n sent_timestamp;
  Tai64n received_timestamp;
  std::optional<Instant> sent_at;      // our last initiation
  std::optional<Instant> answered_at;  // the peer's last initiation that we answered

  std::optional<HandshakeState> pending;        // our initiation that waits for its response
  std::optional<std::uint32_t> response_index;  // of our last response, for its cookie reply only
  bool was_answered = false;                    // a response to `pending` has come, good or not
  unsigned unanswered = 0;  // initiations since the last handshake with the peer
  Instant attempt_began;
  Instant retry_at = Instant::max();
};

class HandshakeTable {
 public:
  /// For 2^16 peers, as in the kernel's device. A change may replace them all, and the slots of
  /// those that go are free only after it: so there are twice as many.
  static constexpr std::size_t slots_max = std::size_t{1} << 17U;

  explicit HandshakeTable(IndexSource& indices) noexcept : indices_(indices) {}
  ~HandshakeTable();

  /// Null if that public key is a peer already. `id` must not be in use, and below slots_max.
  HandshakeEntry* add(PeerId id, const HandshakePeer& settings);
  void remove(PeerId id) noexcept;
  HandshakeEntry* find(PeerId id) noexcept;
  HandshakeEntry* find(const crypto::PublicKey& key) noexcept;
  /// Returns the peer whose initiation or last response carried this sender index.
  HandshakeEntry* find_index(std::uint32_t index) noexcept;

  /// A receiver index for the peer, not yet found by find_index().
  std::optional<std::uint32_t> take_index(PeerId peer) noexcept;
  void give_back(std::uint32_t index) noexcept { indices_.release(index); }
  void set_pending(HandshakeEntry& entry, const HandshakeState& state) noexcept;
  /// The handshake is over; its index went to the session.
  void complete(HandshakeEntry& entry) noexcept;
  /// The handshake is over; its index goes back.
  void abandon(HandshakeEntry& entry) noexcept;
  void set_response_index(HandshakeEntry& entry, std::uint32_t index) noexcept;

  void schedule(HandshakeEntry& entry, Instant at) noexcept;  // max(): not at all
  Instant next_retry() const noexcept;
  /// Takes a peer whose retry is due off the schedule. Null if there is none.
  HandshakeEntry* take_due(Instant now) noexcept;

  template <typename Visit>
  void for_each(Visit visit) noexcept {
    entries_.for_each(visit);
  }

 private:
  void drop_response_index(HandshakeEntry& entry) noexcept;

  IndexSource& indices_;
  SlotArray<HandshakeEntry> entries_{slots_max};  // by PeerId
  std::unordered_map<crypto::PublicKey, HandshakeEntry*> by_key_;
  std::unordered_map<std::uint32_t, HandshakeEntry*> by_index_;  // two a peer at most
  std::set<std::pair<Instant, PeerId>> retries_;                 // one a peer at most
};

}  // namespace tw::wg
