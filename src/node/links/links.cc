#include "node/links/links.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tw::node {

Links::Links(std::unique_ptr<MachineNetwork> network, DeviceWatch devices, LeftToOthers left)
    : network_(std::move(network)), devices_(std::move(devices)), left_(left) {}
Links::Links(Links&&) noexcept = default;
Links& Links::operator=(Links&&) noexcept = default;
Links::~Links() = default;

Result<Links> Links::up(const NodeConfig& config, LeftToOthers left, const std::string& directory) {
  const std::string& device = config.tunnel.interface;
  const std::string doing = fmt::format("bring up the network of {}", device);
  auto devices = DeviceWatch::open();
  if (!devices) return in_context(doing, devices.error());
  auto network = MachineNetwork::open(device, directory);
  if (!network) return in_context(doing, network.error());
  Links links(std::move(*network), std::move(*devices),
              left);  // takes down what is there on return
  if (auto looked = links.look_around_for(config); !looked)
    return in_context(doing, looked.error());
  auto moved = links.network_->move_to(links.plan(config));
  if (!moved) return in_context(doing, moved.error());
  links.config_ = config;
  return links;
}

NetworkPlan Links::plan(const NodeConfig& config) const {
  NetworkPlan wanted = plan_network(config, network_->link_index(), around_);
  if (left_.queue_length) wanted.tx_queue_packets = 0;
  if (left_.leg_windows && config.relay.turbo.pacing) {
    for (auto& [prefix, metrics] : wanted.routes) metrics.initcwnd = 0;
  }
  return wanted;
}

Result<void> Links::look_around_for(const NodeConfig& config) {
  return look_around(network_->netlink().links, network_->link_index(), config.relay.client_devices,
                     around_);
}

Result<void> Links::apply(const NodeConfig& config) {
  const std::string& device = config.tunnel.interface;
  if (device != network_->device()) {
    return make_error(
        Error::Kind::config,
        fmt::format("the interface cannot change from {} to {} while running: restart",
                    network_->device(), device));
  }
  const std::string doing = fmt::format("change the network of {}", device);
  const NetworkPlan before = network_->in_force();
  if (auto looked = look_around_for(config); !looked) return in_context(doing, looked.error());
  auto moved = network_->move_to(plan(config));
  if (moved) {
    config_ = config;
    return {};
  }
  Error error = moved.error();
  if (auto back = network_->move_to(before); !back) {
    error.detail +=
        fmt::format(" (and what was before could not be restored: {})", back.error().text());
  }
  return in_context(doing, std::move(error));
}

Result<void> Links::down() { return network_->take_down(); }

void Links::started() noexcept { network_->own_floor(); }

// ---- While the tunnel runs

Result<void> Links::follow_tunnel(std::vector<Prefix> peers, std::uint16_t listen_port) {
  std::ranges::sort(peers);
  if (peers == around_.peers && listen_port == around_.listen_port) return {};
  around_.peers = std::move(peers);
  around_.listen_port = listen_port;
  return network_->set_firewall(plan(config_));
}

std::array<int, 2> Links::wait_fds() const noexcept {
  return {network_->firewall().wait_fd(), devices_.wait_fd()};
}

std::vector<std::string> Links::attend() {
  std::vector<std::string> said;
  if (const auto kept = network_->firewall().keep_floor(); !kept) {
    said.push_back(kept.error().text());
  } else if (*kept) {
    said.push_back(
        fmt::format("somebody has removed or changed the nftables table {}: it is put back",
                    floor_table(network_->device())));
  }
  if (!devices_.take_changes()) return said;
  if (const auto restored = network_->restore_name(); !restored) {
    said.push_back(
        in_context("the tunnel's device has another name", restored.error()).error().text());
  } else if (*restored) {
    said.push_back(
        fmt::format("somebody has renamed {}: it has its name again (to change it, change "
                    "tunnel.interface and restart)",
                    network_->device()));
  }
  auto followed = look_around_for(config_);
  if (followed) followed = network_->set_firewall(plan(config_));
  if (!followed) said.push_back(followed.error().text());
  return said;
}

bool Links::has_tunnel() const { return !device_name(network_->link_index()).empty(); }

bool Links::drops_foreign() const noexcept {
  return network_->filter().drop_foreign_v4 || network_->filter().drop_foreign_v6;
}

const std::vector<std::string>& Links::warnings() const noexcept {
  return network_->in_force().warnings;
}

Result<std::uint64_t> Links::tx_dropped() { return network_->tx_dropped(); }

Result<std::size_t> Links::end_refused_flows() { return network_->end_refused_flows(); }

Result<std::vector<FirewallCount>> Links::refused() { return network_->firewall().counts(); }

}  // namespace tw::node
