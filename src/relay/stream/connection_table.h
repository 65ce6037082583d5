// All connections of one relay: their places, their turns, and the next deadline. Turns
// go round, so that one busy connection delays another by a quantum at most. Stale ids, which epoll
// or a timer may still hold, find no connection.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/page_slab.h"
#include "base/time.h"
#include "exec/timer_wheel.h"
#include "relay/stream/connection.h"

namespace tw::relay {

struct ConnectionId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  ///< 1 … 2^31 − 1; 0: no connection
  friend bool operator==(ConnectionId, ConnectionId) noexcept = default;
};

class ConnectionTable {
 public:
  /// At most `capacity` connections at a time (at least 1).
  explicit ConnectionTable(std::size_t capacity);

  bool full() const noexcept { return size_ >= capacity_; }
  std::size_t size() const noexcept { return size_; }
  /// Connections above a smaller capacity stay until they end.
  void set_capacity(std::size_t capacity);

  /// Not if full().
  ConnectionId add(Connection connection);
  /// Null if it has gone. Valid until it is removed.
  Connection* find(ConnectionId id) noexcept;
  void remove(ConnectionId id) noexcept;

  /// Puts it at the end of the queue, unless it is in it, or apart.
  void make_runnable(ConnectionId id);
  /// Takes the first of the queue; empty if there is none.
  std::optional<ConnectionId> next_runnable() noexcept;
  bool has_runnable() const noexcept { return first_queued_ != no_slot; }

  /// Its turn does not come before take_all_back().
  void set_apart(ConnectionId id);
  /// Puts all that were set apart at the end of the queue.
  void take_all_back();
  bool has_apart() const noexcept { return !apart_.empty(); }

  /// Sees to it that take_due() names `id` not later than `deadline`. One that has moved further
  /// away costs nothing: it is named early, and looked at again.
  void watch(ConnectionId id, Instant deadline) noexcept;
  /// Calls visit(id) for each whose watch is due. It may remove() and watch().
  template <typename Visitor>
  void take_due(Instant now, Visitor&& visit) {
    timers_->advance(now, [&](TimerWheel::Cookie cookie) {
      const auto index = static_cast<std::uint32_t>(cookie);
      slots_[index].timer.reset();
      visit(ConnectionId{index, slots_[index].generation});
    });
  }
  Instant next_deadline() const noexcept { return timers_->next_deadline(); }

  /// Calls visit(id, connection) for all.
  template <typename Visitor>
  void for_each(Visitor&& visit) {
    for (std::uint32_t index = 0; index < slots_.size(); ++index) {
      Slot& slot = slots_[index];
      if (slot.connection) visit(ConnectionId{index, slot.generation}, *slot.connection);
    }
  }
  /// Calls visit(connection) for those in `count` places from `from` on. Returns the next place; 0
  /// behind the last one.
  template <typename Visitor>
  std::size_t visit_some(std::size_t from, std::size_t count, Visitor&& visit) {
    const std::size_t end = std::min(from + count, slots_.size());
    for (std::size_t place = from; place < end; ++place) {
      if (slots_[place].connection) visit(*slots_[place].connection);
    }
    return end < slots_.size() ? end : 0;
  }

 private:
  static constexpr Duration tick = 1ms;  // pacing wants to be asked in time
  static constexpr std::uint32_t no_slot = UINT32_MAX;
  struct GiveBack {
    PageSlab* slab;
    void operator()(Connection* connection) const noexcept {
      std::destroy_at(connection);
      slab->give_back(connection);
    }
  };
  using Place = std::unique_ptr<Connection, GiveBack>;
  struct Slot {
    explicit Slot(PageSlab& slab) noexcept : connection(nullptr, GiveBack{&slab}) {}
    Place connection;
    std::uint32_t generation = 1;
    bool queued = false;
    bool apart = false;
    std::uint32_t queued_generation = 0;  // of the connection whose turn it will be
    std::uint32_t queued_next = no_slot;  // behind it
    std::optional<TimerId> timer;
    Instant watched;
  };

  std::size_t capacity_;
  std::size_t size_ = 0;
  // A connection that comes takes the place of one that has gone: no memory is asked for.
  PageSlab slab_{sizeof(Connection)};
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<ConnectionId> apart_;
  std::uint32_t first_queued_ = no_slot, last_queued_ = no_slot;
  std::unique_ptr<TimerWheel> timers_;
};

}  // namespace tw::relay
