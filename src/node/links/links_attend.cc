// The part of Links that follows what happens on the machine while a tunnel runs.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "node/links/links_state.h"

namespace tw::node {

Result<void> Links::follow_tunnel(std::vector<Prefix> peers, std::uint16_t listen_port) {
  std::ranges::sort(peers);
  if (peers == state_->around.peers && listen_port == state_->around.listen_port) return {};
  state_->around.peers = std::move(peers);
  state_->around.listen_port = listen_port;
  return state_->set_firewall(state_->plan(state_->config));
}

std::array<int, 2> Links::wait_fds() const noexcept {
  return {state_->firewall.wait_fd(), state_->devices.wait_fd()};
}

// A name is restored, since the configuration says it, and routes of ours go by it. The firewall
// goes by the index and has not noticed.
Result<bool> Links::State::restore_name() {
  const std::string present = device_name(link_index);
  if (present.empty() || present == device) return false;
  auto named = netlink.rename(link_index, device);
  if (named || named.error().os_errno != EBUSY) {
    if (!named) return std::unexpected(named.error());
    return true;
  }
  // Before Linux 6.2 only a device that is down takes a name, and with that all its routes go.
  if (auto down = netlink.set_up(present, false); !down) return std::unexpected(down.error());
  named = netlink.rename(link_index, device);
  is_up = false;
  if (!named) return std::unexpected(named.error());
  made.addresses.clear();
  made.routes.clear();
  if (auto moved = move_to(NetworkPlan{in_force}); !moved) return std::unexpected(moved.error());
  return true;
}

std::vector<std::string> Links::attend() {
  std::vector<std::string> said;
  State& state = *state_;
  if (const auto kept = state.firewall.keep_floor(); !kept) {
    said.push_back(kept.error().text());
  } else if (*kept) {
    said.push_back(
        fmt::format("somebody has removed or changed the nftables table {}: it is put back",
                    floor_table(state.device)));
  }
  if (!state.devices.take_changes()) return said;
  if (const auto restored = state.restore_name(); !restored) {
    said.push_back(
        in_context("the tunnel's device has another name", restored.error()).error().text());
  } else if (*restored) {
    said.push_back(
        fmt::format("somebody has renamed {}: it has its name again (to change it, change "
                    "tunnel.interface and restart)",
                    state.device));
  }
  auto followed =
      look_around(state.netlink, state.link_index, state.config.relay.client_devices, state.around);
  if (followed) followed = state.set_firewall(state.plan(state.config));
  if (!followed) said.push_back(followed.error().text());
  return said;
}

bool Links::has_tunnel() const { return !device_name(state_->link_index).empty(); }

std::uint32_t Links::own_mark() const noexcept { return own_mark_base + state_->link_index; }

bool Links::drops_foreign() const noexcept {
  return state_->made.firewall.drop_foreign_v4 || state_->made.firewall.drop_foreign_v6;
}

}  // namespace tw::node
