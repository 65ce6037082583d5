#include "exec/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace tw {

TimerWheel::TimerWheel(std::size_t capacity, Duration tick, Instant now)
    : tick_ns_(static_cast<std::uint64_t>(tick.count())), timers_(capacity) {
  TW_ASSERT(tick > Duration::zero() && capacity > 0 && capacity < none);
  heads_.fill(none);
  for (std::size_t i = capacity; i-- > 0;) {
    timers_[i].next = free_;
    free_ = static_cast<std::uint32_t>(i);
  }
  present_ = target_ = tick_at_or_before(now);
}

std::uint64_t TimerWheel::tick_at_or_before(Instant at) const noexcept {
  return static_cast<std::uint64_t>(std::max(at.since_origin(), Duration::zero()).count()) /
         tick_ns_;
}

std::uint64_t TimerWheel::tick_at_or_after(Instant at) const noexcept {
  const auto ns = static_cast<std::uint64_t>(std::max(at.since_origin(), Duration::zero()).count());
  return ns / tick_ns_ + (ns % tick_ns_ == 0 ? 0 : 1);
}

Instant TimerWheel::instant_of(std::uint64_t tick) const noexcept {
  const auto longest = static_cast<std::uint64_t>(Duration::max().count());
  if (tick > longest / tick_ns_) return Instant::max();
  return Instant{Duration{static_cast<Duration::rep>(tick * tick_ns_)}};
}

std::optional<TimerId> TimerWheel::schedule(Instant at, Cookie cookie) noexcept {
  if (free_ == none) return std::nullopt;
  const std::uint32_t index = free_;
  Timer& timer = timers_[index];
  free_ = timer.next;
  timer.tick = tick_at_or_after(at);
  timer.cookie = cookie;
  ++size_;
  // Against target_ and not present_: what a visitor schedules for the past waits for the next
  // round.
  if (timer.tick <= target_) {
    link(index, due_list);
  } else {
    place(index);
  }
  return TimerId{index, timer.generation};
}

bool TimerWheel::cancel(TimerId id) noexcept {
  if (id.slot >= timers_.size()) return false;
  Timer& timer = timers_[id.slot];
  if (timer.list == none || timer.generation != id.generation) return false;
  unlink(id.slot);
  ++timer.generation;
  timer.next = free_;
  free_ = id.slot;
  --size_;
  return true;
}

// The timer's tick must lie ahead of present_.
void TimerWheel::place(std::uint32_t index) noexcept {
  const std::uint64_t tick = timers_[index].tick;
  const auto highest = static_cast<unsigned>(std::bit_width(tick ^ present_)) - 1;
  const std::size_t level = highest / bits_per_level;
  const std::size_t slot = (tick >> (level * bits_per_level)) % slots_per_level;
  link(index, level * slots_per_level + slot);
}

void TimerWheel::link(std::uint32_t index, std::size_t list) noexcept {
  Timer& timer = timers_[index];
  timer.list = static_cast<std::uint32_t>(list);
  timer.previous = none;
  timer.next = heads_[list];
  if (timer.next != none) timers_[timer.next].previous = index;
  heads_[list] = index;
  if (list < firing_list) {
    occupied_[list / slots_per_level] |= std::uint64_t{1} << (list % slots_per_level);
  }
}

void TimerWheel::unlink(std::uint32_t index) noexcept {
  Timer& timer = timers_[index];
  const std::size_t list = timer.list;
  if (timer.next != none) timers_[timer.next].previous = timer.previous;
  if (timer.previous != none) {
    timers_[timer.previous].next = timer.next;
  } else {
    heads_[list] = timer.next;
    if (timer.next == none && list < firing_list) {
      occupied_[list / slots_per_level] &= ~(std::uint64_t{1} << (list % slots_per_level));
    }
  }
  timer.list = none;
}

// Moves every timer of a list to the firing one.
void TimerWheel::take_list(std::size_t from) noexcept {
  while (heads_[from] != none) {
    const std::uint32_t index = heads_[from];
    unlink(index);
    link(index, firing_list);
  }
}

// All timers of a level share the higher bits of present_ and lie ahead of it, so the lowest
// occupied level holds the earliest of all, in its lowest occupied slot.
std::optional<TimerWheel::Slot> TimerWheel::first_slot() const noexcept {
  for (std::size_t level = 0; level < levels; ++level) {
    if (occupied_[level] == 0) continue;
    const auto index = static_cast<std::size_t>(std::countr_zero(occupied_[level]));
    const std::size_t shift = level * bits_per_level;
    const std::size_t above = shift + bits_per_level;
    const std::uint64_t block = above >= 64 ? 0 : present_ >> above << above;
    return Slot{level, index, block | std::uint64_t{index} << shift};
  }
  return std::nullopt;
}

void TimerWheel::begin(Instant now) noexcept {
  TW_ASSERT(!advancing_);  // advance() inside a visitor
  advancing_ = true;
  target_ = std::max(target_, tick_at_or_before(now));
  take_list(due_list);
}

bool TimerWheel::pop(Cookie& cookie) noexcept {
  while (heads_[firing_list] == none) {
    const std::optional<Slot> slot = first_slot();
    if (!slot || slot->begin > target_) {
      present_ = target_;
      return false;
    }
    present_ = slot->begin;
    const std::size_t list = slot->level * slots_per_level + slot->index;
    if (slot->level == 0) {
      take_list(list);
      continue;
    }
    while (heads_[list] != none) {
      const std::uint32_t index = heads_[list];
      unlink(index);
      if (timers_[index].tick == present_) {
        link(index, firing_list);
      } else {
        place(index);  // some levels down
      }
    }
  }
  const std::uint32_t index = heads_[firing_list];
  cookie = timers_[index].cookie;
  return cancel({index, timers_[index].generation});
}

Instant TimerWheel::next_deadline() const noexcept {
  if (heads_[due_list] != none || heads_[firing_list] != none) return instant_of(present_);
  const std::optional<Slot> slot = first_slot();
  return slot ? instant_of(slot->begin) : Instant::max();
}

}  // namespace tw
