#include "relay/stream/source_window.h"

#include <algorithm>

#include "relay/stream/receive_window.h"

namespace tw::relay {
namespace {

// Parts of what all and the client have left: a source that has drained nothing yet is one of many.
constexpr std::uint64_t newcomers_part = 4, drainers_part = 2;
// Drained so much of what it may hold, a leg gets as much again: before the sender, who doubles its
// own window in each round trip, can have used it up.
constexpr std::uint64_t grow_after_part = 8;
// The bytes drained between two reviews are several round trips' worth: a reader that is slower
// than this part of its memory has no use for it.
constexpr std::uint64_t unused_part = 4;

}  // namespace

SourceWindow::SourceWindow(ReceiveBudget& budget, const Principal& client, int socket, Kind kind,
                           std::uint32_t held, std::uint32_t most) noexcept
    : budget_(&budget),
      client_(client),
      socket_(socket),
      kind_(kind),
      held_(held),
      most_(most),
      memory_(held),
      grow_at_(kind == Kind::leg ? held / grow_after_part : counted_from) {}

void SourceWindow::open() noexcept {
  const std::uint64_t wanted = std::min<std::uint64_t>(first_memory, most_);
  const std::uint64_t already = promised_;
  promised_ += budget_->take(client_, wanted > already ? wanted - already : 0, newcomers_part);
  memory_ = std::max<std::uint64_t>(promised_, std::min(open_memory_least, most_));
  open_ = true;
  stalled_ = false;
  open_window(socket_, static_cast<std::uint32_t>(memory_));
  grow_at_ = total_ + memory_ / grow_after_part;
}

void SourceWindow::on_taken(std::uint64_t total_bytes, Instant now) noexcept {
  if (review_at_ == Instant::max() && (open_ || kind_ == Kind::system)) {
    reviewed_ = total_bytes;
    review_at_ = now + review_interval;
  }
  total_ = total_bytes;
  if (total_bytes < grow_at_) return;
  if (kind_ == Kind::system) {
    look();
  } else {
    grow();
  }
}

void SourceWindow::grow() noexcept {
  const std::uint64_t room = most_ > memory_ ? most_ - memory_ : 0;
  const std::uint64_t wanted = open_ ? memory_ : std::max<std::uint64_t>(memory_, first_memory);
  const std::uint64_t given = budget_->take(client_, std::min(wanted, room), drainers_part);
  promised_ += given;
  memory_ += given;
  open_ = true;
  stalled_ = false;
  grow_at_ = total_ + memory_ / grow_after_part;
  if (given > 0) widen_window(socket_, static_cast<std::uint32_t>(memory_));
}

// The kernel has made it larger meanwhile, or not.
void SourceWindow::look() noexcept {
  grow_at_ = total_ + system_stretch;
  const std::uint64_t has = memory_of(socket_);
  const std::uint64_t wanted =
      std::min<std::uint64_t>(bounded_ ? 2 * memory_ : has, system_memory_most);
  if (wanted > memory_) {
    const std::uint64_t given = budget_->take(client_, wanted - memory_, drainers_part);
    promised_ += given;
    memory_ += given;
    if (bounded_ && given > 0) bound_memory(socket_, static_cast<std::uint32_t>(memory_));
  }
  if (!bounded_ && has > memory_) {
    bound_memory(socket_, static_cast<std::uint32_t>(memory_));
    bounded_ = true;
  }
}

void SourceWindow::review(Instant now) noexcept {
  const std::uint64_t drained = total_ - reviewed_;
  reviewed_ = total_;
  if (kind_ == Kind::leg) {
    review_leg(drained);
  } else {
    review_system(drained);
  }
  review_at_ =
      promised_ > 0 || (kind_ == Kind::leg && open_) ? now + review_interval : Instant::max();
}

void SourceWindow::give_back_beyond(std::uint64_t memory) noexcept {
  const std::uint64_t stays = memory > held_ ? std::min(promised_, memory) : 0;
  budget_->give_back(client_, promised_ - stays);
  promised_ = stays;
  memory_ = memory;
}

// One that holds nothing rests. One that holds something is one whose reader has paused, or is
// slow: what is in it stays promised, and nothing more comes.
void SourceWindow::review_leg(std::uint64_t drained) noexcept {
  if (!open_ || drained >= memory_ / unused_part) return;
  const std::uint64_t used = memory_used(socket_);
  const bool empty = used == 0;
  const std::uint64_t keep =
      empty && drained == 0 ? held_ : std::max<std::uint64_t>({used, drained, open_memory_least});
  if (keep >= memory_) return;
  open_ = false;
  stalled_ = !empty;
  grow_at_ = total_ + keep / grow_after_part;
  give_back_beyond(keep);
  if (empty) {
    shrink_window(socket_, static_cast<std::uint32_t>(keep));
  } else {
    bound_memory(socket_, static_cast<std::uint32_t>(keep));
  }
}

// The kernel begins anew with what it gives to everybody.
void SourceWindow::review_system(std::uint64_t drained) noexcept {
  if (drained > 0 || promised_ == 0 || memory_used(socket_) > 0) return;
  give_back_beyond(held_);
  free_memory(socket_, held_);
  bounded_ = false;
  grow_at_ = total_ + system_stretch;
}

}  // namespace tw::relay
