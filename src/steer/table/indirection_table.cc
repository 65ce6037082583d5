#include "steer/table/indirection_table.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace tw {
namespace {

/// Intervals that an estimate remembers. A core has hundreds of packets in one: of a shorter memory
/// the noise alone would be more than what rebalancing answers.
constexpr std::uint64_t memory = 8;

Slot slot_at(std::size_t number) { return Slot{static_cast<std::uint16_t>(number)}; }

}  // namespace

IndirectionTable::IndirectionTable(RendezvousOrder order, const CoreSet& active,
                                   RebalanceSettings settings)
    : order_(std::move(order)), settings_(settings), active_(active) {
  TW_ASSERT(!active.empty());
  moves_.reserve(Slot::count);
  override_.fill(no_override);
  moved_.fill(Instant{} - settings.rest);
  for (std::size_t number = 0; number < Bucket::count; ++number) {
    target_[number] = owner_[number] = wanted(slot_at(number));
  }
}

std::uint8_t IndirectionTable::wanted(Slot slot) const noexcept {
  const std::uint8_t placed = override_[slot.value];
  if (placed != no_override && active_.contains(placed)) return placed;
  const Bucket bucket = slot.is_elephant() ? elephants_.bucket(slot) : Bucket{slot.value};
  return order_.first_of(bucket, active_);
}

/// True if the core has come and the slot may be its own.
bool IndirectionTable::belongs(Slot slot, std::uint8_t core) const noexcept {
  if (slot.is_elephant()) return elephants_.is_used(slot);
  return override_[slot.value] == core ||
         order_.place(Bucket{slot.value}, core) < order_.place(Bucket{slot.value}, target(slot));
}

// A slot on its way goes on when it has arrived: two moves of one slot at a time would need two
// hold lists.
void IndirectionTable::retarget(Slot slot, std::uint8_t to, Instant now) {
  const std::uint8_t from = target(slot);
  if (from == to || is_moving(slot)) return;
  target_[slot.value] = to;
  moved_[slot.value] = now;
  core_load_[from] -= std::min(core_load_[from], load_[slot.value]);
  core_load_[to] += load_[slot.value];
  moves_.push_back({slot, from, to});
}

std::span<const SlotMove> IndirectionTable::set_active(const CoreSet& active, Instant now) {
  TW_ASSERT(!active.empty());
  moves_.clear();
  const CoreSet before = std::exchange(active_, active);
  const std::uint64_t gone = before.mask() & ~active.mask();
  const std::uint64_t come = active.mask() & ~before.mask();
  const auto is_used = [this](Slot slot) {
    return !slot.is_elephant() || elephants_.is_used(slot);
  };
  for (std::size_t number = 0; gone != 0 && number < Slot::count; ++number) {
    const Slot slot = slot_at(number);
    if (((gone >> target(slot)) & 1U) != 0 && is_used(slot)) retarget(slot, wanted(slot), now);
  }
  for (std::uint64_t left = come; left != 0; left &= left - 1) {
    const auto core = static_cast<std::uint8_t>(std::countr_zero(left));
    for (std::size_t number = 0; number < Slot::count; ++number) {
      const Slot slot = slot_at(number);
      if (belongs(slot, core)) retarget(slot, wanted(slot), now);
    }
  }
  return moves_;
}

std::optional<SlotMove> IndirectionTable::settle(Slot slot, Instant now) noexcept {
  owner_[slot.value] = target(slot);
  const std::uint8_t to = wanted(slot);
  if (to == target(slot)) return std::nullopt;
  moves_.clear();
  retarget(slot, to, now);
  return moves_.back();
}

void IndirectionTable::fold_load() noexcept {
  for (std::size_t number = 0; number < Slot::count; ++number) {
    load_[number] = (load_[number] * (memory - 1) + std::exchange(recent_[number], 0)) / memory;
  }
  sum_core_loads();
}

void IndirectionTable::sum_core_loads() noexcept {
  core_load_.fill(0);
  for (std::size_t number = 0; number < Slot::count; ++number) {
    core_load_[target_[number]] += load_[number];
  }
}

double IndirectionTable::mean_load() const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t n = 0; n < active_.size(); ++n) sum += core_load_[active_.nth(n)];
  return static_cast<double>(sum) / static_cast<double>(active_.size());
}

std::uint8_t IndirectionTable::least_loaded() const noexcept {
  std::uint8_t least = active_.nth(0);
  for (std::size_t n = 1; n < active_.size(); ++n) {
    if (core_load_[active_.nth(n)] < core_load_[least]) least = active_.nth(n);
  }
  return least;
}

std::uint8_t IndirectionTable::fullest() const noexcept {
  std::uint8_t most = active_.nth(0);
  for (std::size_t n = 1; n < active_.size(); ++n) {
    if (core_load_[active_.nth(n)] > core_load_[most]) most = active_.nth(n);
  }
  return most;
}

/// Returns the load that may come to that core before it has too much itself.
double IndirectionTable::room_at(std::uint8_t core) const noexcept {
  return mean_load() * settings_.overload - static_cast<double>(core_load_[core]);
}

bool IndirectionTable::may_go(std::size_t number, std::uint8_t from, Instant now) const noexcept {
  return load_[number] > 0 && target_[number] == from && owner_[number] == from &&
         now - moved_[number] >= settings_.rest;
}

bool IndirectionTable::give(std::size_t number, std::uint8_t to, Instant now) {
  override_[number] = to;
  retarget(slot_at(number), to, now);
  return true;
}

// The largest slot that leaves the other core with less than this one has, and not with too much.
bool IndirectionTable::give_one(std::uint8_t from, Instant now) {
  const std::uint8_t to = least_loaded();
  if (to == from) return false;
  const double room = std::min(
      static_cast<double>(core_load_[from]) - static_cast<double>(core_load_[to]), room_at(to));
  std::size_t best = Slot::count;
  for (std::size_t number = 0; number < Slot::count; ++number) {
    if (!may_go(number, from, now) || static_cast<double>(load_[number]) >= room) continue;
    if (best == Slot::count || load_[number] > load_[best]) best = number;
  }
  return best != Slot::count && give(best, to, now);
}

// Nothing fits anywhere: `from` has several slots that are large. The smallest of these goes to the
// core with least in large slots, which can then give small ones away.
bool IndirectionTable::give_large(std::uint8_t from, Instant now) {
  const double mean = mean_load();
  const auto large = static_cast<std::uint64_t>(mean * (settings_.overload - 1));
  std::array<std::uint64_t, CoreSet::most> in_large{};
  std::size_t best = Slot::count;
  for (std::size_t number = 0; number < Slot::count; ++number) {
    if (load_[number] <= large) continue;
    in_large[target_[number]] += load_[number];
    if (!may_go(number, from, now)) continue;
    if (best == Slot::count || load_[number] < load_[best]) best = number;
  }
  if (best == Slot::count || in_large[from] == load_[best]) return false;
  std::uint8_t to = active_.nth(0);
  for (std::size_t n = 1; n < active_.size(); ++n) {
    if (in_large[active_.nth(n)] < in_large[to]) to = active_.nth(n);
  }
  const double then = static_cast<double>(in_large[to] + load_[best]);
  return to != from && then <= mean * settings_.overload && give(best, to, now);
}

std::span<const SlotMove> IndirectionTable::rebalance(Instant now) {
  moves_.clear();
  const double limit = mean_load() * settings_.overload;
  for (std::size_t n = 0; n < active_.size(); ++n) {
    const std::uint8_t core = active_.nth(n);
    while (moves_.size() < settings_.most_moves && static_cast<double>(core_load_[core]) > limit &&
           (give_one(core, now) || give_large(core, now))) {
    }
  }
  return moves_;
}

std::optional<Bucket> IndirectionTable::too_large() const noexcept {
  const std::uint8_t core = fullest();
  if (room_at(core) >= 0) return std::nullopt;
  std::size_t heaviest = Bucket::count;
  for (std::size_t number = 0; number < Bucket::count; ++number) {
    if (target_[number] != core || owner_[number] != core) continue;
    if (heaviest == Bucket::count || load_[number] > load_[heaviest]) heaviest = number;
  }
  if (heaviest == Bucket::count) return std::nullopt;
  if (static_cast<double>(load_[heaviest]) <= room_at(least_loaded())) return std::nullopt;
  return Bucket{static_cast<std::uint16_t>(heaviest)};
}

bool IndirectionTable::split(std::uint32_t hash, std::uint64_t load) noexcept {
  const Slot bucket = Slot::of(bucket_of_hash(hash));
  if (is_moving(bucket)) return false;
  const std::optional<Slot> slot = elephants_.add(hash);
  if (!slot) return false;
  const std::uint64_t taken = std::min(load, load_[bucket.value]);
  load_[bucket.value] -= taken;
  load_[slot->value] = taken;
  recent_[slot->value] = 0;
  target_[slot->value] = owner_[slot->value] = target(bucket);
  override_[slot->value] = override_[bucket.value];
  moved_[slot->value] = Instant{} - settings_.rest;  // it may move at once: that is its purpose
  return true;
}

std::span<const SlotMove> IndirectionTable::retire_elephants(std::uint64_t least, Instant now) {
  moves_.clear();
  for (std::size_t number = 0; number < Slot::elephants; ++number) {
    const Slot slot = Slot::elephant(number);
    if (!elephants_.is_used(slot) || load(slot) >= least || is_moving(slot)) continue;
    const Slot bucket = Slot::of(elephants_.bucket(slot));
    if (is_moving(bucket) || now - moved_[slot.value] < settings_.rest) continue;
    if (target(bucket) != target(slot)) {
      override_[slot.value] = target(bucket);
      retarget(slot, target(bucket), now);
      continue;
    }
    load_[bucket.value] += std::exchange(load_[slot.value], 0);
    recent_[bucket.value] += std::exchange(recent_[slot.value], 0);
    elephants_.remove(slot);
  }
  return moves_;
}

}  // namespace tw
