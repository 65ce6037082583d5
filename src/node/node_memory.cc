// The part of Node that remembers where its peers were, over a restart (device/remembered_peers.h).
#include <algorithm>
#include <chrono>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "machine/journal.h"
#include "node/node.h"

namespace tw::node {
namespace {

/// A peer that comes or moves between the last of these and a crash is not found: it waits its
/// 15 s. Nothing is written while nothing is received.
constexpr Duration remember_interval = 1s;
/// Everything else has this many times the time that writing them down has taken.
constexpr int remember_pause = 50;
/// 1,600 peers a second are asked, a third of the handshakes that one CPU computes: those who ask
/// by themselves meanwhile find room.
constexpr std::size_t greeted_together = 32;
constexpr Duration greet_interval = 20ms;

}  // namespace

/// Never fails a start: who is not remembered asks by itself.
void Node::recall_peers() {
  Result<PeerMemory> memory = PeerMemory::of(std::string{run_directory}, device_->interface());
  if (!memory) return log::warning("peers are not remembered: {}", memory.error().text());
  memory_ = std::move(*memory);
  remember_at_ = clock_.now() + remember_interval;
  if (!config_.process.remember_peers) return;
  Result<RememberedText> read = memory_->load();
  if (!read) return log::warning("peers are not remembered: {}", read.error().text());
  if (read->damaged_lines > 0) {
    log::warning("{}: {} lines are none of ours, and are passed over", memory_->path(),
                 read->damaged_lines);
  }
  std::unordered_set<crypto::PublicKey> configured;
  for (const PeerConfig& peer : config_.peers) configured.insert(peer.public_key);
  recalled_ = still_recent(std::move(read->peers), clock_.wall());
  std::erase_if(recalled_,
                [&](const RememberedPeer& peer) { return !configured.contains(peer.public_key); });
  // Those who spoke last are waiting now.
  std::ranges::sort(recalled_, std::ranges::greater{}, &RememberedPeer::handshake);
  if (recalled_.empty()) return;
  log::info("{} peers had a session: asking them for a new one", recalled_.size());
  greet_some();
}

void Node::greet_some() {
  const std::size_t count = std::min(greeted_together, recalled_.size() - greeted_);
  device_->greet(std::span<const RememberedPeer>{recalled_}.subspan(greeted_, count));
  greeted_ += count;
  greet_at_ = clock_.now() + greet_interval;
}

void Node::remember_peers() {
  const Instant began = clock_.now();
  remember_at_ = began + remember_interval;
  if (!memory_) return;
  std::uint64_t traffic = device_->changes();
  for (const lane::LaneCounters* const lane : device_->counters().lanes) {
    traffic += lane->from_wire.received.value();
  }
  const bool wanted = config_.process.remember_peers;
  if (wanted && traffic == remembered_traffic_) return;
  remembered_traffic_ = wanted ? traffic : 0;  // which it never is
  if (greeted_ == recalled_.size()) {
    recalled_ = still_recent(std::move(recalled_), clock_.wall());
    greeted_ = recalled_.size();
  }
  std::vector<RememberedPeer> peers;
  // A peer that was asked and has not answered yet is not forgotten for that: the next crash may
  // come before the answer.
  if (wanted) peers = still_recent(device_->recent_peers(recalled_), clock_.wall());
  const Result<void> saved = memory_->save(peers);
  if (!saved && !told_of_memory_) {
    log::warning("peers are not remembered: {}", saved.error().text());
  }
  told_of_memory_ = !saved;
  const Instant done = clock_.now();
  remember_at_ = std::max(remember_at_, done + remember_pause * (done - began));
}

/// Does what is due. Returns milliseconds until something is.
int Node::tend_memory() {
  if (greeted_ < recalled_.size() && clock_.now() >= greet_at_) greet_some();
  if (clock_.now() >= remember_at_) remember_peers();
  const Instant next =
      greeted_ < recalled_.size() ? std::min(greet_at_, remember_at_) : remember_at_;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - clock_.now()).count();
  return static_cast<int>(std::max<std::int64_t>(0, wait));
}

}  // namespace tw::node
