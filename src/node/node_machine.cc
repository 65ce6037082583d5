// The part of Node that follows what others do to the machine, and to the tunnel by `wg`.
#include <net/if.h>

#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "node/node.h"

namespace tw::node {
namespace {

/// The time between two looks for dropped foreign packets, and between two reports of them.
constexpr Duration foreign_look{5s}, foreign_pause{60s};

}  // namespace

void Node::attend_machine() {
  const std::lock_guard lock{mutex_};
  for (const std::string& sentence : links_->attend()) log::warning("{}", sentence);
  follow_client_devices();
}

// A listening socket and a watch for SYNs belong to one device. One that is made anew under its
// name (a ppp link, a VLAN) gets its own, as at a reload; of one that is away nothing is asked.
void Node::follow_client_devices() {
  if (!relay_ || drained_) return;
  std::vector<unsigned> indexes;
  for (const std::string& device : config_.relay.client_devices) {
    indexes.push_back(::if_nametoindex(device.c_str()));
  }
  if (std::exchange(client_device_indexes_, indexes) == indexes) return;
  NodeConfig present = config_;
  std::erase_if(present.relay.client_devices,
                [](const std::string& device) { return ::if_nametoindex(device.c_str()) == 0; });
  auto doors = open_next_doors(present);
  if (doors && doors->empty()) return;
  const Result<void> told =
      doors ? tell_relay(config_, *std::move(doors)) : std::unexpected(doors.error());
  if (!told) {
    log::error("a client device is there anew, and its connections are not relayed: {}",
               told.error().text());
  }
}

// The firewall knows whose addresses are the overlay's; a reload tells it before the tunnel, and
// `wg set` after.
void Node::follow_tunnel() {
  if (device_->changes() == followed_changes_) return;
  followed_changes_ = device_->changes();
  const Result<DeviceState> state = device_->state();
  if (!state) return;
  std::vector<Prefix> peers;
  for (const PeerState& peer : state->peers) {
    peers.insert(peers.end(), peer.allowed_ips.begin(), peer.allowed_ips.end());
  }
  const std::lock_guard lock{mutex_};
  const Result<void> followed = links_->follow_tunnel(std::move(peers), device_->listen_port());
  if (!followed) log::error("{}", followed.error().text());
}

int Node::foreign_wait_ms() const noexcept {
  if (!links_->drops_foreign()) return -1;
  using std::chrono::milliseconds;
  return static_cast<int>(std::chrono::duration_cast<milliseconds>(foreign_look).count());
}

// Whoever expects this machine to forward, a container engine that found forwarding on, say, is to
// be told why it does not.
void Node::report_foreign() {
  const Instant now = clock_.now();
  if (!links_->drops_foreign() || (foreign_looked_ && now - *foreign_looked_ < foreign_look))
    return;
  foreign_looked_ = now;
  if (foreign_said_ && now - *foreign_said_ < foreign_pause) return;
  const std::lock_guard lock{mutex_};
  const auto counts = links_->refused();
  if (!counts) return;
  for (const FirewallCount& count : *counts) {
    if (count.name != "foreign_forward" || count.packets == foreign_packets_) continue;
    log::warning(
        "{} packets were not forwarded that neither come from nor go to {} or a client device: "
        "before "
        "this node turned forwarding on, this machine forwarded nothing. If another program needs "
        "it "
        "(containers, virtual machines), write forward_others = true in [gateway]",
        count.packets - foreign_packets_, config_.tunnel.interface);
    foreign_packets_ = count.packets;
    foreign_said_ = now;
  }
}

}  // namespace tw::node
