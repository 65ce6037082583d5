// The peers that one lane owns, and the two ways to find one: by receiver index (from the wire) and
// by inner address (from the TUN).
#pragma once

#include <cstdint>
#include <optional>

#include "base/slot_array.h"
#include "exec/timer_wheel.h"
#include "lane/peers/index_table.h"
#include "lane/transmit/staging_pool.h"
#include "port/train.h"
#include "wg/allowed_ips.h"
#include "wg/session.h"
#include "wire/address.h"

namespace tw::lane {

struct LanePeer {
  wg::PeerId id;
  wg::Session session;
  std::optional<Endpoint> endpoint;  ///< where the peer was last authenticated, or was configured
  LocalAddress local;                ///< the address of ours that it spoke to then, if known
  bool initiation_unanswered = false;
  StagingPool::Queue staged;
  std::uint64_t received_bytes = 0;  ///< WireGuard datagrams that authenticated
  std::uint64_t sent_bytes = 0;
  WallTime responded;  ///< when the latest handshake that the peer began was answered
  Instant timer_at = Instant::max();  ///< when `timer` fires; never later than session's deadline
  TimerId timer;
};

class PeerTable {
 public:
  /// At a time, as in the kernel's device. A change may replace them all, and the slots of those
  /// that go are free only after it: so there are twice as many.
  static constexpr std::size_t peers_max = std::size_t{1} << 16U;
  static constexpr std::size_t slots_max = 2 * peers_max;

  /// The slot must be free, and below slots_max: whoever gives slots out has seen to it. The
  /// reference stays good until remove().
  LanePeer& add(wg::PeerId id);
  /// Also takes its allowed IPs. The peer's keypairs and staged packets must be gone.
  void remove(wg::PeerId id) noexcept;
  LanePeer* find(wg::PeerId id) noexcept;
  /// The peer whose session uses this receiver index; null if none does.
  LanePeer* find_index(std::uint32_t local_index) noexcept;

  void bind_index(std::uint32_t local_index, wg::PeerId id) { by_index_.insert(local_index, id); }
  void unbind_index(std::uint32_t local_index) noexcept { by_index_.erase(local_index); }

  wg::AllowedIps& allowed_ips() noexcept { return allowed_ips_; }
  /// Slots in use or not: ids run from 0 to slots() - 1.
  std::size_t slots() const noexcept { return peers_.slots(); }

 private:
  /// A session has three keypairs at most, and one more while a new one is taken in.
  static constexpr std::size_t indices_per_peer = 4;
  SlotArray<LanePeer> peers_{slots_max};
  std::size_t count_ = 0;
  IndexTable by_index_;
  wg::AllowedIps allowed_ips_;
};

}  // namespace tw::lane
