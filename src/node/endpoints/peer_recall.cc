#include "node/endpoints/peer_recall.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>
#include <utility>

#include "base/log.h"

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

PeerRecall::PeerRecall(Device device, const Clock& clock)
    : device_(std::move(device)), clock_(clock) {}

void PeerRecall::recall(Result<PeerMemory> memory, const NodeConfig& config) {
  if (!memory) return log::warning("peers are not remembered: {}", memory.error().text());
  memory_ = std::move(*memory);
  remember_at_ = clock_.now() + remember_interval;
  if (!config.process.remember_peers) return;
  Result<RememberedText> read = memory_->load();
  if (!read) return log::warning("peers are not remembered: {}", read.error().text());
  if (read->damaged_lines > 0) {
    log::warning("{}: {} lines are none of ours, and are passed over", memory_->path(),
                 read->damaged_lines);
  }
  std::unordered_set<crypto::PublicKey> configured;
  for (const PeerConfig& peer : config.peers) configured.insert(peer.public_key);
  recalled_ = still_recent(std::move(read->peers), clock_.wall());
  std::erase_if(recalled_,
                [&](const RememberedPeer& peer) { return !configured.contains(peer.public_key); });
  // The peers who spoke last are waiting now.
  std::ranges::sort(recalled_, std::ranges::greater{}, &RememberedPeer::handshake);
  if (recalled_.empty()) return;
  log::info("{} peers had a session: asking them for a new one", recalled_.size());
  greet_some();
}

void PeerRecall::greet_some() {
  const std::size_t count = std::min(greeted_together, recalled_.size() - greeted_);
  device_.greet(Peers{recalled_}.subspan(greeted_, count));
  greeted_ += count;
  greet_at_ = clock_.now() + greet_interval;
}

void PeerRecall::remember(bool wanted) {
  const Instant began = clock_.now();
  remember_at_ = began + remember_interval;
  if (!memory_) return;
  const std::uint64_t traffic = device_.traffic();
  if (wanted && traffic == remembered_traffic_) return;
  remembered_traffic_ = wanted ? traffic : 0;  // which it never is
  if (greeted_ == recalled_.size()) {
    recalled_ = still_recent(std::move(recalled_), clock_.wall());
    greeted_ = recalled_.size();
  }
  std::vector<RememberedPeer> peers;
  // A peer that was asked and has not answered yet is not forgotten for that: the next crash may
  // come before the answer.
  if (wanted) peers = still_recent(device_.recent_peers(recalled_), clock_.wall());
  const Result<void> saved = memory_->save(peers);
  if (!saved && !logged_failure_) {
    log::warning("peers are not remembered: {}", saved.error().text());
  }
  logged_failure_ = !saved;
  const Instant done = clock_.now();
  remember_at_ = std::max(remember_at_, done + remember_pause * (done - began));
}

int PeerRecall::tend(bool wanted) {
  if (greeted_ < recalled_.size() && clock_.now() >= greet_at_) greet_some();
  if (clock_.now() >= remember_at_) remember(wanted);
  const Instant next =
      greeted_ < recalled_.size() ? std::min(greet_at_, remember_at_) : remember_at_;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - clock_.now()).count();
  return static_cast<int>(std::max<std::int64_t>(0, wait));
}

}  // namespace tw::node
