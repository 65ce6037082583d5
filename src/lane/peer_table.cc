#include "lane/peer_table.h"

#include "base/assert.h"

namespace tw::lane {

LanePeer& PeerTable::add(wg::PeerId id) {
  if (id.value >= peers_.size()) peers_.resize(id.value + std::size_t{1});
  std::unique_ptr<LanePeer>& slot = peers_[id.value];
  TW_ASSERT(slot == nullptr);
  slot = std::make_unique<LanePeer>();
  slot->id = id;
  return *slot;
}

void PeerTable::remove(wg::PeerId id) noexcept {
  TW_ASSERT(find(id) != nullptr);
  allowed_ips_.remove_peer(id);
  peers_[id.value].reset();
}

LanePeer* PeerTable::find(wg::PeerId id) noexcept {
  return id.value < peers_.size() ? peers_[id.value].get() : nullptr;
}

LanePeer* PeerTable::find_index(std::uint32_t local_index) noexcept {
  const auto found = by_index_.find(local_index);
  return found == by_index_.end() ? nullptr : find(found->second);
}

}  // namespace tw::lane
