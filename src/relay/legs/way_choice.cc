#include "relay/legs/way_choice.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <utility>

#include "relay/sockets/sockets.h"

namespace tw::relay {
namespace {

// Answers Admission's question whether new connections may go by a PoP now.
struct UsablePops {
  const RelaySettings& settings;
  const PopTable& pops;
  PathChoice& paths;
  const IpAddress& target;
  Instant now;

  bool operator()(std::size_t place) const {
    const PopLegs& legs = pops.in_place(place).legs();
    if (!legs.is_usable(now)) return false;
    return settings.direct != DirectWay::measured || !paths.prefers_direct(target, legs.rtt(), now);
  }
};

}  // namespace

WayChoice::WayChoice(const RelaySettings& settings, const PopTable& pops, int tun_index,
                     std::unique_ptr<RouteLookup> lookup)
    : settings_(settings),
      pops_(pops),
      tun_index_(tun_index),
      lookup_(std::move(lookup)),
      admission_(settings, tun_index, *lookup_) {}

void WayChoice::apply() { admission_ = Admission{settings_, tun_index_, *lookup_}; }

WayChoice::Choice WayChoice::onward(const Verdict& verdict) const {
  if (!verdict) return std::unexpected(verdict.error());
  return Onward{.pop = verdict->pop ? &pops_.in_place(*verdict->pop) : nullptr};
}

// A std::function that has a reference allocates nothing.
WayChoice::Choice WayChoice::choose(const Endpoint& client, const Endpoint& target,
                                    Instant now) const {
  const UsablePops usable{settings_, pops_, paths_, target.address, now};
  return onward(admission_.admit_client(client, target, std::cref(usable)));
}

WayChoice::Choice WayChoice::choose(const Connection& connection, Instant now) const {
  if (!connection.is_leg()) return choose(connection.client(), connection.target(), now);
  const UsablePops usable{settings_, pops_, paths_, connection.target().address, now};
  const Admission::Arrival arrival{.from = admission_.pop_at(connection.peer().address),
                                   .hops = connection.hops()};
  return onward(
      admission_.admit_leg(connection.client(), connection.target(), arrival, std::cref(usable)));
}

bool WayChoice::refuses_now(const Connection& connection) const {
  const auto from =
      connection.is_leg() ? admission_.pop_at(connection.peer().address) : std::nullopt;
  if (connection.is_leg() && !from) return true;
  if (!connection.has_target()) return false;
  const auto refused = connection.is_leg()
                           ? admission_.refuses_leg(connection.client(), connection.target(), from)
                           : admission_.refuses_client(connection.client(), connection.target());
  return refused || admission_.refuses_target(connection.target());
}

bool WayChoice::is_reached_by(const IpAddress& client, int device_index) const noexcept {
  const auto back = lookup_->ask(client);
  return back && back->kind == KernelRoute::Kind::remote && back->device_index == device_index;
}

void WayChoice::begin_measuring(const Connection& connection, Onward way, Instant now) {
  if (settings_.direct != DirectWay::measured || way.pop == nullptr) return;
  if (!paths_.wants_measure(connection.target().address, now)) return;
  if (!admission_.may_go_directly(connection.target())) return;
  probes_.begin(connection.target(), settings_.limits, now);
}

void WayChoice::connected_directly(const Connection& connection, Instant now) {
  if (settings_.direct != DirectWay::measured) return;
  const Duration rtt = connect_rtt(connection.socket(Side::back));
  if (rtt > Duration::zero()) paths_.measured(connection.target().address, rtt, now);
}

void WayChoice::poll(Instant now) {
  probes_.poll(now, [this, now](const Endpoint& target, Duration rtt) {
    paths_.measured(target.address, rtt, now);
  });
}

}  // namespace tw::relay
