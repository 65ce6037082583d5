#include "wg/handshake_table.h"

#include "base/assert.h"

namespace tw::wg {

HandshakeTable::~HandshakeTable() {
  for_each([this](HandshakeEntry& entry) { abandon(entry); });
}

HandshakeEntry* HandshakeTable::add(PeerId id, const HandshakePeer& settings) {
  TW_ASSERT(find(id) == nullptr);
  if (by_key_.contains(settings.public_key)) return nullptr;
  HandshakeEntry& entry = entries_.emplace(id.value);
  entry.id = id;
  entry.public_key = settings.public_key;
  entry.preshared_key = settings.preshared_key;
  entry.mac_keys = MacKeys::of(settings.public_key);
  by_key_.emplace(settings.public_key, &entry);
  return &entry;
}

void HandshakeTable::remove(PeerId id) noexcept {
  HandshakeEntry* entry = find(id);
  if (entry == nullptr) return;
  abandon(*entry);
  drop_response_index(*entry);
  schedule(*entry, Instant::max());
  by_key_.erase(entry->public_key);
  entries_.erase(id.value);
}

HandshakeEntry* HandshakeTable::find(PeerId id) noexcept { return entries_.find(id.value); }

HandshakeEntry* HandshakeTable::find(const crypto::PublicKey& key) noexcept {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

HandshakeEntry* HandshakeTable::find_index(std::uint32_t index) noexcept {
  const auto found = by_index_.find(index);
  return found == by_index_.end() ? nullptr : found->second;
}

std::optional<std::uint32_t> HandshakeTable::take_index(PeerId peer) noexcept {
  const std::optional<std::uint32_t> index = indices_.allocate(peer);
  // The session of a response may long have ended, and its index come round again.
  if (HandshakeEntry* old = index ? find_index(*index) : nullptr) drop_response_index(*old);
  return index;
}

void HandshakeTable::set_pending(HandshakeEntry& entry, const HandshakeState& state) noexcept {
  TW_ASSERT(!entry.pending);
  entry.pending = state;
  by_index_[state.initiator_index] = &entry;
}

void HandshakeTable::complete(HandshakeEntry& entry) noexcept {
  if (!entry.pending) return;
  by_index_.erase(entry.pending->initiator_index);
  entry.pending.reset();
}

void HandshakeTable::abandon(HandshakeEntry& entry) noexcept {
  if (!entry.pending) return;
  const std::uint32_t index = entry.pending->initiator_index;
  complete(entry);
  give_back(index);
}

void HandshakeTable::set_response_index(HandshakeEntry& entry, std::uint32_t index) noexcept {
  drop_response_index(entry);
  entry.response_index = index;
  by_index_[index] = &entry;
}

void HandshakeTable::drop_response_index(HandshakeEntry& entry) noexcept {
  if (!entry.response_index) return;
  by_index_.erase(*entry.response_index);
  entry.response_index.reset();
}

void HandshakeTable::schedule(HandshakeEntry& entry, Instant at) noexcept {
  if (entry.retry_at != Instant::max()) retries_.erase({entry.retry_at, entry.id});
  entry.retry_at = at;
  if (at != Instant::max()) retries_.emplace(at, entry.id);
}

Instant HandshakeTable::next_retry() const noexcept {
  return retries_.empty() ? Instant::max() : retries_.begin()->first;
}

HandshakeEntry* HandshakeTable::take_due(Instant now) noexcept {
  if (next_retry() > now) return nullptr;
  HandshakeEntry* entry = find(retries_.begin()->second);
  schedule(*entry, Instant::max());
  return entry;
}

}  // namespace tw::wg
