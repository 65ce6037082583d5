#include "relay/relay.h"

#include <net/if.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "relay/admission/route_cache.h"
#include "relay/relay_state.h"

namespace tw::relay {
namespace {

// splice() has no MSG_NOSIGNAL: a sink that was reset would kill the process.
void ignore_broken_pipes() noexcept {
  struct sigaction action{};
  if (::sigaction(SIGPIPE, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) return;
  action.sa_handler = SIG_IGN;
  static_cast<void>(::sigaction(SIGPIPE, &action, nullptr));
}

}  // namespace

Result<std::unique_ptr<Relay>> Relay::create(RelaySettings settings, std::vector<SynSource*> syns,
                                             std::vector<OpenDoor> doors) {
  const auto tun_index = static_cast<int>(::if_nametoindex(settings.tun_device.c_str()));
  if (tun_index == 0) return system_error("relay: interface " + settings.tun_device);
  auto events = EventQueue::open();
  if (!events) return in_context("relay", std::move(events.error()));
  auto kernel = KernelRoutes::open();
  if (!kernel) return in_context("relay", std::move(kernel.error()));
  auto lookup = RouteCache::open(*std::move(kernel));
  if (!lookup) return in_context("relay", std::move(lookup.error()));
  ignore_broken_pipes();
  std::vector<DoorPlan> open;
  for (const OpenDoor& door : doors) open.push_back(door.plan);
  auto others = open_doors(settings, open);
  if (!others) return in_context("relay", std::move(others.error()));
  std::ranges::move(*others, std::back_inserter(doors));

  auto state = std::make_unique<State>(std::move(settings), tun_index, *std::move(events),
                                       *std::move(lookup));
  auto opened = state->change_doors(std::move(doors));
  if (opened) opened = state->syns.replace(std::move(syns));
  if (!opened) return in_context("relay", std::move(opened.error()));
  return std::unique_ptr<Relay>{new Relay{std::move(state)}};
}

Relay::Relay(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Relay::~Relay() { state_->reset_all(); }

std::size_t Relay::apply(RelaySettings settings, std::vector<OpenDoor> opened) {
  settings.tun_device = state_->settings.tun_device;
  state_->settings = std::move(settings);
  if (const auto changed = state_->change_doors(std::move(opened)); !changed) {
    log::error("relay: {}", changed.error().text());
  }
  state_->use_settings();
  return state_->revoke();
}

std::vector<DoorPlan> Relay::doors() const { return state_->acceptor.plans(); }

Result<void> Relay::take_syns_from(std::vector<SynSource*> syns) {
  return state_->syns.replace(std::move(syns));
}

void Relay::answer_syns(std::vector<SynAnswers*> by_reporter) noexcept {
  state_->halves.answer_to(std::move(by_reporter));
}

void Relay::drain(Instant now) noexcept { state_->drain(now); }
void Relay::resume() noexcept { state_->resume(); }
void Relay::refuse_all(Instant now) noexcept { state_->refuse_all(now); }

RelaySnapshot Relay::snapshot() const { return state_->snapshot(); }

Work Relay::poll(Instant now, std::size_t budget) noexcept {
  return Work::counted(state_->poll(now, budget), budget);
}

Instant Relay::next_deadline() const noexcept { return state_->next_deadline(); }
Instant Relay::coalescing_until() const noexcept { return state_->coalescing_until(); }
std::span<const int> Relay::wait_fds() const noexcept { return state_->wait_fds; }
bool Relay::arm() noexcept { return !state_->has_work() && state_->syns.arm(); }

}  // namespace tw::relay
