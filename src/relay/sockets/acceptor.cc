#include "relay/sockets/acceptor.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "relay/sockets/sockets.h"

namespace tw::relay {

Acceptor::Acceptor(EventQueue& events) : events_(events) { spare_.keep(); }

Result<void> Acceptor::change(const RelaySettings& settings, std::vector<OpenDoor> opened,
                              const Visitor& visit) {
  const std::vector<DoorPlan> wanted = doors_of(settings);
  std::erase_if(doors_, [&](Door& door) {
    if (std::ranges::find(wanted, door.plan) != wanted.end()) return false;
    for (Accepted accepted; door.listener.accept(spare_, accepted) == AcceptStatus::accepted;) {
      visit(door.plan, AcceptStatus::accepted, std::move(accepted));
    }
    return true;
  });
  for (OpenDoor& door : opened) {
    Listener listener{std::move(door.socket), door.plan.kind};
    doors_.push_back({std::move(listener), std::move(door.plan)});
  }
  return watch_all();
}

// An event names a door by its place, and places have changed.
Result<void> Acceptor::watch_all() {
  Result<void> watched;
  for (std::size_t place = 0; place < doors_.size(); ++place) {
    Door& door = doors_[place];
    door.ready = true;
    if (!events_.watch_door(door.listener.fd(), place)) {
      watched = system_error("watch " + door.plan.address.text());
    }
  }
  return watched;
}

void Acceptor::apply(const RelaySettings& settings) {
  for (const Door& door : doors_) {
    if (auto done = notice_death(door.listener.fd(), settings.limits); !done) {
      log::warning("relay: accepted connections keep their limits: {}", done.error().text());
    }
    if (door.listener.kind() != Listener::Kind::legs) {
      if (auto done = take_fast_open(door.listener.fd(), settings.fast_open); !done) {
        log::warning("relay: clients' fast open stays as it was: {}", done.error().text());
      }
      continue;
    }
    if (auto done = start_fast_anew(door.listener.fd(), settings.turbo); !done) {
      log::warning("relay: accepted legs keep their turbo settings: {}", done.error().text());
    }
  }
}

std::vector<DoorPlan> Acceptor::plans() const {
  std::vector<DoorPlan> plans;
  for (const Door& door : doors_) plans.push_back(door.plan);
  return plans;
}

void Acceptor::set_ready(std::size_t door) noexcept {
  if (door < doors_.size()) doors_[door].ready = true;
}

void Acceptor::set_all_ready() noexcept {
  for (Door& door : doors_) door.ready = true;
}

bool Acceptor::is_any_ready() const noexcept { return std::ranges::any_of(doors_, &Door::ready); }

std::size_t Acceptor::accept_some(Instant now, std::size_t most, const Visitor& visit) {
  if (again_ != Instant::max() && now < again_) return 0;
  again_ = Instant::max();
  std::size_t handled = 0;
  const std::size_t share = doors_.empty() ? 0 : std::max<std::size_t>(most / doors_.size(), 1);
  for (Door& door : doors_) {
    for (std::size_t taken = 0; door.ready && taken < share; ++taken) {
      Accepted accepted;
      const AcceptStatus status = door.listener.accept(spare_, accepted);
      if (status == AcceptStatus::empty) {
        door.ready = false;
        break;
      }
      visit(door.plan, status, std::move(accepted));
      if (status == AcceptStatus::exhausted) {
        again_ = now + accept_pause;
        return handled;
      }
      ++handled;
    }
  }
  return handled;
}

}  // namespace tw::relay
