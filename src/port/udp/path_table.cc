#include "port/udp/path_table.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/log.h"

namespace tw {
namespace {

constexpr std::uint32_t ipv4_and_udp_bytes = 28;

}  // namespace

bool PathTable::Entry::is_cut_by_route(std::uint32_t segment_bytes) const noexcept {
  return path.route_mtu != 0 && segment_bytes + ipv4_and_udp_bytes > path.route_mtu;
}

PathTable::PathTable(std::unique_ptr<PathLookup> lookup, const PathChanges* changes,
                     std::uint16_t own_port)
    : lookup_(std::move(lookup)), changes_(changes), own_port_(own_port), entries_(first_entries) {}

std::uint64_t PathTable::generation() const noexcept {
  const std::uint64_t marks = marks_set_.load(std::memory_order_acquire);
  return 1 + marks +
         (changes_ == nullptr ? 0 : changes_->generation.load(std::memory_order_relaxed));
}

void PathTable::set_fwmark(std::uint32_t fwmark) noexcept {
  fwmark_.store(fwmark, std::memory_order_relaxed);
  marks_set_.fetch_add(1, std::memory_order_release);
}

PathTable::Entry* PathTable::set_of(const Train& train) noexcept {
  const std::size_t sets = entries_.size() / ways;
  return &entries_[std::hash<Endpoint>{}(train.destination) % sets * ways];
}

PathTable::Entry& PathTable::find(const Train& train) noexcept {
  const std::uint64_t now = generation();
  for (Entry& entry : std::span{set_of(train), ways}) {
    if (entry.generation == 0 || entry.target != train.destination || entry.source != train.local) {
      continue;
    }
    if (entry.generation != now) learn(entry);
    return entry;
  }
  if (train.unproven) {
    passing_ = Entry{train.destination, train.local};
    if (questions_left_ > 0) {
      --questions_left_;
      learn(passing_);
    }
    return passing_;
  }
  Entry& entry = place_for(train);
  entry = Entry{train.destination, train.local};
  learn(entry);
  return entry;
}

/// An empty one, or the one that was learned first.
PathTable::Entry& PathTable::place_for(const Train& train) noexcept {
  for (;;) {
    const std::span<Entry> set{set_of(train), ways};
    const auto oldest = std::ranges::min_element(set, {}, &Entry::generation);
    if (oldest->generation == 0) return *oldest;
    if (entries_.size() >= entries_max) {
      // All of one generation: the first gives way, and the others move up.
      if (oldest == set.begin()) std::ranges::rotate(set, set.begin() + 1);
      return oldest == set.begin() ? set.back() : *oldest;
    }
    grow();
  }
}

void PathTable::grow() {
  std::vector<Entry> before = std::exchange(entries_, std::vector<Entry>(entries_.size() * 2));
  for (const Entry& entry : before) {
    if (entry.generation == 0) continue;
    Train train;
    train.destination = entry.target;
    const std::span<Entry> set{set_of(train), ways};
    const auto room = std::ranges::find(set, 0U, &Entry::generation);
    // There is: the old set had as many places, and is spread over two.
    if (room != set.end()) *room = entry;
  }
}

void PathTable::refused(Entry& entry, std::uint32_t segment_bytes) noexcept {
  entry.refused_bytes =
      entry.refused_bytes == 0 ? segment_bytes : std::min(entry.refused_bytes, segment_bytes);
  entry.singles_left = singles_before_retry;
}

void PathTable::learn(Entry& entry) noexcept {
  entry.generation = generation();
  entry.path = {};
  entry.refused_bytes = 0;
  entry.singles_left = 0;
  entry.source_holds = true;
  entry.is_loop = false;
  if (lookup_ == nullptr) return;
  PathQuestion question{.target = entry.target,
                        .source = entry.source,
                        .own_port = own_port_,
                        .fwmark = fwmark_.load(std::memory_order_relaxed)};
  std::optional<Path> path = lookup_->ask(question);
  if (!path) return;
  // As the kernel's device (wg_socket_send, send4): a source stays as long as the route leads out
  // by the device that it was learned from.
  if (entry.source.known() && path->device != entry.source.ifindex) {
    entry.source_holds = false;
    question.source = {};
    path = lookup_->ask(question);
    if (!path) return;
  }
  entry.path = *path;
  const std::uint32_t tunnel =
      changes_ == nullptr ? 0 : changes_->tunnel_device.load(std::memory_order_relaxed);
  entry.is_loop = tunnel != 0 && entry.path.device == tunnel;
  if (entry.is_loop) tell_of_loop(entry);
}

/// Once a change of routes: every packet for that peer would say the same.
void PathTable::tell_of_loop(const Entry& entry) noexcept {
  if (told_at_ == entry.generation) return;
  told_at_ = entry.generation;
  log::warning(
      "endpoint {} is routed into its own tunnel: its packets are dropped. Give the "
      "endpoint a route of its own, or set a fwmark and a rule for it",
      entry.target.text());
}

}  // namespace tw
