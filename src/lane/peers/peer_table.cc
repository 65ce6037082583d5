#include "lane/peers/peer_table.h"

namespace tw::lane {

LanePeer& PeerTable::add(wg::PeerId id) {
  LanePeer& peer = peers_.emplace(id.value);
  peer.id = id;
  by_index_.reserve(++count_ * indices_per_peer);
  return peer;
}

void PeerTable::remove(wg::PeerId id) noexcept {
  allowed_ips_.remove_peer(id);
  peers_.erase(id.value);
  --count_;
}

LanePeer* PeerTable::find(wg::PeerId id) noexcept { return peers_.find(id.value); }

LanePeer* PeerTable::find_index(std::uint32_t local_index) noexcept {
  const std::optional<wg::PeerId> found = by_index_.find(local_index);
  return found ? find(*found) : nullptr;
}

}  // namespace tw::lane
