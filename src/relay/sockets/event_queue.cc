#include "relay/sockets/event_queue.h"

#include <utility>

namespace tw::relay {
namespace {

// The 64 bits that epoll hands back with an event. Of a connection: generation (31 bits, never 0),
// side, index. Of anything else: generation 0, and the kind of source above a number of 24 bits.
constexpr unsigned generation_shift = 33, side_shift = 32, source_shift = 24;

std::uint64_t token_of(ConnectionId id, Side side) noexcept {
  return std::uint64_t{id.generation} << generation_shift |
         (side == Side::back ? std::uint64_t{1} << side_shift : 0U) | id.index;
}

std::uint64_t token_of(EventQueue::Source source, std::size_t number = 0) noexcept {
  return std::uint64_t{std::to_underlying(source)} << source_shift | number;
}

}  // namespace

Result<EventQueue> EventQueue::open() {
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  if (!epoll) return system_error("epoll");
  return EventQueue{std::move(epoll)};
}

bool EventQueue::add(int descriptor, std::uint32_t events, std::uint64_t token) noexcept {
  epoll_event event{.events = events | EPOLLET, .data = {.u64 = token}};
  return ::epoll_ctl(fd(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

bool EventQueue::watch_connection(int socket, ConnectionId id, Side side) noexcept {
  return add(socket, deaf_events | incoming_events, token_of(id, side));
}

// Urgent data too: TCP wakes whoever waits for it with each segment that comes.
void EventQueue::set_deaf(int socket, ConnectionId id, Side side, bool deaf) noexcept {
  epoll_event event{.events = deaf_events | (deaf ? 0 : incoming_events) | EPOLLET,
                    .data = {.u64 = token_of(id, side)}};
  static_cast<void>(::epoll_ctl(fd(), EPOLL_CTL_MOD, socket, &event));
}

bool EventQueue::watch_door(int socket, std::size_t door) noexcept {
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = token_of(Source::door, door)}};
  return ::epoll_ctl(fd(), EPOLL_CTL_MOD, socket, &event) == 0 ||
         ::epoll_ctl(fd(), EPOLL_CTL_ADD, socket, &event) == 0;
}

bool EventQueue::watch_legs(int pool) noexcept {
  return add(pool, EPOLLIN, token_of(Source::legs));
}

bool EventQueue::watch_syns(int source) noexcept {
  return add(source, EPOLLIN, token_of(Source::syns));
}

void EventQueue::forget(int descriptor) noexcept {
  static_cast<void>(::epoll_ctl(fd(), EPOLL_CTL_DEL, descriptor, nullptr));
}

EventQueue::Event EventQueue::event_of(const epoll_event& event) noexcept {
  const std::uint64_t token = event.data.u64;
  const auto generation = static_cast<std::uint32_t>(token >> generation_shift);
  const auto index = static_cast<std::uint32_t>(token);
  if (generation != 0) {
    return {.source = Source::connection,
            .id = {index, generation},
            .side = (token >> side_shift & 1U) != 0 ? Side::back : Side::front,
            .epoll_events = event.events};
  }
  return {.source = static_cast<Source>(index >> source_shift),
          .door = index & ((1U << source_shift) - 1)};
}

}  // namespace tw::relay
