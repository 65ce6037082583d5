// The epoll set of a relay. It knows which socket, door, pool or report of SYNs an event is of;
// everything is watched edge-triggered, and closing a descriptor ends its watch.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"
#include "relay/stream/connection.h"
#include "relay/stream/connection_table.h"

namespace tw::relay {

class EventQueue {
 public:
  enum class Source : std::uint8_t {
    connection,  ///< one side of it: `id`, `side`, `epoll_events`
    door,        ///< a listening socket: `door`
    legs,        ///< a pool of warm legs, or the probes of targets
    syns,        ///< a SynSource
  };
  struct Event {
    Source source = Source::connection;
    ConnectionId id{};
    Side side = Side::front;
    std::uint32_t epoll_events = 0;
    std::size_t door = 0;
  };

  static Result<EventQueue> open();
  /// Readable when there are events. Constant.
  int fd() const noexcept { return epoll_.get(); }

  /// Fails with errno set.
  bool watch_connection(int socket, ConnectionId id, Side side) noexcept;
  /// Reports what comes from that side no more, or again; then also what has come meanwhile. That
  /// it has room, has ended or has failed is reported all the while.
  void set_deaf(int socket, ConnectionId id, Side side, bool deaf) noexcept;
  /// Watches a listening socket by that number, or gives one that is watched another number. What
  /// has come before is reported again.
  bool watch_door(int socket, std::size_t door) noexcept;
  /// Fails with errno set, as the next one does.
  bool watch_legs(int pool) noexcept;
  bool watch_syns(int source) noexcept;
  void forget(int descriptor) noexcept;

  /// Calls visit(event) for at most events_per_turn. One system call.
  template <typename Visitor>
  void take(Visitor&& visit) {
    // 3 KB in every turn of the loop: the kernel fills what is read.
    __attribute__((uninitialized)) std::array<epoll_event, events_per_turn> events;
    const int count = ::epoll_wait(fd(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) visit(event_of(events[static_cast<std::size_t>(i)]));
  }

 private:
  static constexpr std::size_t events_per_turn = 256;
  static constexpr std::uint32_t incoming_events = EPOLLIN | EPOLLPRI;
  static constexpr std::uint32_t deaf_events = EPOLLOUT | EPOLLRDHUP;
  explicit EventQueue(UniqueFd epoll) noexcept : epoll_(std::move(epoll)) {}
  static Event event_of(const epoll_event& event) noexcept;
  bool add(int descriptor, std::uint32_t events, std::uint64_t token) noexcept;

  UniqueFd epoll_;
};

}  // namespace tw::relay
