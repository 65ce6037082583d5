#include "node/relaying/relay_service.h"

#include <net/if.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "base/log.h"
#include "node/context_ids.h"
#include "node/node_parts.h"

namespace tw::node {

RelayService::RelayService(Device& device, const Clock& clock, std::uint32_t own_mark)
    : device_(device), clock_(clock), own_mark_(own_mark) {}

RelayService::~RelayService() { stop(); }

// ---- Start and stop

Result<void> RelayService::prepare(const NodeConfig& config) {
  // Without a relay as well: a reload may switch one on, when there is no right left to load it.
  window_opener_.prepare();
  if (!config.relay.enabled) return {};
  Result<Doors> doors = open_doors(config);
  if (!doors) return std::unexpected(std::move(doors.error()));
  doors_ = *std::move(doors);
  return {};
}

Result<void> RelayService::start(const NodeConfig& config) {
  Result<void> started = start_parts(config);
  if (!started) stop();
  return started;
}

Result<void> RelayService::start_parts(const NodeConfig& config) {
  Result<std::unique_ptr<TunnelSyns>> syns = TunnelSyns::open(device_);
  if (!syns) return std::unexpected(syns.error());
  tunnel_syns_ = std::move(*syns);
  relay::RelaySettings wanted = settings_of(config);
  syn_watches_.open(wanted);
  wanted.resumer = window_opener_.apply(wanted);
  Result<std::unique_ptr<relay::Relay>> relay =
      relay::Relay::create(std::move(wanted), syn_sources(), std::exchange(doors_, {}));
  if (!relay) return std::unexpected(relay.error());
  (*relay)->answer_syns(tunnel_syns_->answers());
  WorkerSettings settings;
  settings.id = relay_context;
  settings.name = "relay";
  Result<std::unique_ptr<Worker>> worker = Worker::create(std::move(settings), clock_);
  if (!worker) return std::unexpected(worker.error());
  (*worker)->attach(**relay);
  if (Result<void> started = (*worker)->start(); !started) return started;
  relay_ = std::move(*relay);
  worker_ = std::move(*worker);
  tunnel_syns_->report(device_);
  device_.hold_syns(config.relay.accept == relay::Accept::verified);
  return {};
}

void RelayService::stop() noexcept {
  if (tunnel_syns_) device_.report_syns({});
  if (worker_) worker_->stop();
  worker_.reset();
  relay_.reset();
  syn_watches_.close();
  window_opener_.close();
  tunnel_syns_.reset();
}

// ---- From one configuration to the next

Result<RelayService::Doors> RelayService::open_doors(const NodeConfig& next) {
  if (!next.relay.enabled) return {};
  std::vector<relay::DoorPlan> open;
  if (relay_) worker_->call([&]() noexcept { open = relay_->doors(); });
  auto doors = relay::open_doors(door_settings(next), open);
  if (!doors) return explain_port_in_use(std::move(doors.error()), next);
  return doors;
}

Result<void> RelayService::apply(const NodeConfig& next, Doors doors) {
  if (!next.relay.enabled) return relay_ ? switch_off() : Result<void>{};
  if (!relay_) {
    doors_ = std::move(doors);
    return start(next);
  }
  if (Result<void> changed = change(next, std::move(doors)); !changed) return changed;
  if (std::exchange(drained_, false)) tunnel_syns_->report(device_);
  device_.hold_syns(next.relay.accept == relay::Accept::verified);
  return {};
}

// A relay that is not wanted any more refuses: any user of this machine could take the ports that
// it left.
Result<void> RelayService::switch_off() {
  device_.report_syns({});
  Result<void> taken;
  worker_->call([&]() noexcept {
    connections_reset_ += relay_->snapshot().active;
    relay_->refuse_all(clock_.now());
    taken = relay_->take_syns_from(tunnel_syns_->sources());
  });
  syn_watches_.close();
  drained_ = true;
  return taken;
}

// Watches are opened before the relay is told of them, and closed after it has been told.
Result<void> RelayService::change(const NodeConfig& config, Doors doors) {
  relay::RelaySettings settings = settings_of(config);
  std::size_t revoked = 0;
  Result<void> taken;
  const bool watch = settings.early_syn.enabled;
  if (!doors.empty() && syn_watches_.is_open()) {
    // The devices may be others now.
    worker_->call([&]() noexcept { taken = relay_->take_syns_from(tunnel_syns_->sources()); });
    syn_watches_.close();
  }
  if (watch && !syn_watches_.is_open()) syn_watches_.open(settings);
  syn_watches_.set_budget(settings.early_syn);
  settings.resumer = window_opener_.apply(settings);
  std::vector<relay::SynSource*> sources = watch ? syn_sources() : tunnel_syns_->sources();
  const bool told = worker_->call([&]() noexcept {
    if (drained_) relay_->resume();
    revoked = relay_->apply(std::move(settings), std::move(doors));
    taken = relay_->take_syns_from(std::move(sources));
  });
  if (!told) return make_error(Error::Kind::exhausted, "the relay does not take messages");
  if (!watch) syn_watches_.close();
  connections_reset_ += revoked;
  if (revoked > 0) log::info("relay: {} connections are reset: they are refused now", revoked);
  return taken;
}

void RelayService::follow_leg_keys(const NodeConfig& config) {
  if (!relay_ || drained_ || leg_identities(config, device_) == leg_identities_) return;
  if (const Result<void> changed = change(config); !changed) {
    log::error("{}", changed.error().text());
  }
}

// A listening socket and a watch for SYNs belong to one device. One that is made anew under its
// name (a ppp link, a VLAN) gets its own, as at a reload; nothing is asked of one that is away.
void RelayService::follow_client_devices(const NodeConfig& config) {
  if (!relay_ || drained_) return;
  std::vector<unsigned> indexes;
  for (const std::string& device : config.relay.client_devices) {
    indexes.push_back(::if_nametoindex(device.c_str()));
  }
  if (std::exchange(client_device_indexes_, indexes) == indexes) return;
  NodeConfig present = config;
  std::erase_if(present.relay.client_devices,
                [](const std::string& device) { return ::if_nametoindex(device.c_str()) == 0; });
  auto doors = open_doors(present);
  if (doors && doors->empty()) return;
  const Result<void> changed =
      doors ? change(config, *std::move(doors)) : std::unexpected(doors.error());
  if (!changed) {
    log::error("a client device is there anew, and its connections are not relayed: {}",
               changed.error().text());
  }
}

relay::RelaySettings RelayService::door_settings(const NodeConfig& config) const {
  relay::RelaySettings settings = relay_settings(config);
  settings.own_mark = own_mark_;
  return settings;
}

relay::RelaySettings RelayService::settings_of(const NodeConfig& config) {
  relay::RelaySettings settings = door_settings(config);
  leg_identities_ = leg_identities(config, device_);
  set_leg_keys(settings, leg_identities_);
  return settings;
}

std::vector<relay::SynSource*> RelayService::syn_sources() const {
  std::vector<relay::SynSource*> sources = tunnel_syns_->sources();
  std::ranges::copy(syn_watches_.sources(), std::back_inserter(sources));
  return sources;
}

// ---- Draining, and what is to be seen

Result<std::uint64_t> RelayService::drain_by_hand(const NodeConfig& config) {
  if (!relay_ || !config.relay.enabled) {
    return make_error(Error::Kind::config, "this node has no relay");
  }
  if (!std::exchange(drained_, true)) log::info("draining by hand: no new connections");
  drain();
  return active_connections();
}

void RelayService::drain() {
  if (relay_) worker_->call([this]() noexcept { relay_->drain(clock_.now()); });
}

std::uint64_t RelayService::active_connections() {
  std::uint64_t active = 0;
  if (relay_) worker_->call([&]() noexcept { active = relay_->snapshot().active; });
  return active;
}

std::optional<relay::RelaySnapshot> RelayService::snapshot() {
  std::optional<relay::RelaySnapshot> snapshot;
  if (relay_) worker_->call([&]() noexcept { snapshot = relay_->snapshot(); });
  return snapshot;
}

}  // namespace tw::node
