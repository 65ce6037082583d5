// The part of Relay::State that has the listening sockets: they are exchanged one by one, the new
// before the old, and never left while the node lives.
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "relay/relay_state.h"

namespace tw::relay {

// Takes over what has been opened for the settings, and closes what they do not name. Who has
// completed a handshake at one that is closed is served first.
Result<void> Relay::State::change_doors(std::vector<OpenDoor> opened) {
  const std::vector<DoorPlan> wanted = doors_of(settings);
  std::erase_if(doors_, [&](Door& door) {
    if (std::ranges::find(wanted, door.plan) != wanted.end()) return false;
    for (Accepted accepted; door.listener.accept(spare_, accepted) == AcceptStatus::accepted;) {
      serve(door.listener.kind(), std::move(accepted), polled_at_);
    }
    return true;
  });
  for (OpenDoor& door : opened) {
    Listener listener{std::move(door.socket), door.plan.kind};
    doors_.push_back({std::move(listener), std::move(door.plan)});
  }
  return watch_doors();
}

// The number by which epoll names a door is its place, and places have changed.
Result<void> Relay::State::watch_doors() noexcept {
  Result<void> watched;
  for (std::size_t place = 0; place < doors_.size(); ++place) {
    Door& door = doors_[place];
    door.knocked = true;
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = place}};
    const int socket = door.listener.fd();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket, &event) != 0 &&
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) != 0) {
      watched = system_error("watch " + door.plan.address.text());
    }
  }
  return watched;
}

std::vector<DoorPlan> Relay::State::doors() const {
  std::vector<DoorPlan> plans;
  for (const Door& door : doors_) plans.push_back(door.plan);
  return plans;
}

// A drained relay does not leave: what it left, another would take. Its doors are answered with a
// reset as soon as those have been served who had come before.
void Relay::State::drain(Instant now) noexcept {
  draining_ = true;
  for (Door& door : doors_) door.knocked = true;
  for (Pop* const pop : pops_) pop->legs().close_idle();
  table.for_each([&](ConnectionId id, Connection& connection) {
    // Whoever still waits for an answer is told to go elsewhere.
    if (!connection.is_waiting_leg() && !connection.claim().held()) return;
    connection.finish(connection.claim().held() ? Outcome::shutdown : Outcome::closed);
    end(id, connection, now);
  });
  wake_holder();
}

void Relay::State::resume() noexcept {
  draining_ = refusing_ = false;
  for (Pop* const pop : pops_) pop->legs().reopen();
}

void Relay::State::refuse_all(Instant now) noexcept {
  drain(now);
  table.for_each([&](ConnectionId id, Connection& connection) {
    connection.finish(Outcome::shutdown);
    end(id, connection, now);
  });
  wake_holder();
}

}  // namespace tw::relay
