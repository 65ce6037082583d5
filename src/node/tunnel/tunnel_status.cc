// What a device says of itself: copies, taken on the contexts that own what is copied.
#include <algorithm>
#include <set>

#include "base/assert.h"
#include "node/device/run_on.h"
#include "node/tunnel/tunnel_device.h"

namespace tw::node {
namespace {

/// As many at a time as hold up packets for some 50 us.
constexpr std::uint32_t slots_per_snapshot = 1024;

}  // namespace

TuningInEffect Device::tuning() {
  const std::lock_guard lock{mutex_};
  TuningInEffect now{tuning_.offloads, tuning_.queue_limit, tun_queue_.queue() != nullptr,
                     tuning_.governor};
  run_on(*data_, [&] {
    const CoalescerKinds taken = data_lane_->tun_takes();
    now.offloads.tun_tcp = now.offloads.tun_tcp && taken.tcp;
    now.offloads.tun_udp = now.offloads.tun_udp && taken.udp;
    now.offloads.udp_receive = sockets_->receive_trains();
    now.offloads.udp_send = now.offloads.udp_send && sockets_->send_trains();
  });
  return now;
}

std::optional<Device::Pair> Device::identities_with(const crypto::PublicKey& peer) const {
  const std::lock_guard lock{mutex_};
  const DeviceShadow::Peer* const known = shadow_->find(peer);
  if (known == nullptr || shadow_->private_key().is_zero()) return std::nullopt;
  return Pair{.ours = shadow_->private_key(), .preshared = known->preshared_key};
}

std::vector<lane::LanePeerSnapshot> Device::lane_peers() {
  std::vector<lane::LanePeerSnapshot> peers;
  std::size_t slots = 1;
  for (std::size_t first = 0; first < slots; first += slots_per_snapshot) {
    run_on(*data_, [&] {
      slots = data_lane_->slots();
      const auto part = data_lane_->snapshot(static_cast<std::uint32_t>(first), slots_per_snapshot);
      peers.insert(peers.end(), part.begin(), part.end());
    });
  }
  return peers;
}

Result<DeviceState> Device::state() {
  const std::lock_guard lock{mutex_};
  DeviceState state;
  state.private_key = shadow_->private_key();
  state.listen_port = sockets_->port();
  state.fwmark = sockets_->fwmark();
  state.peers.reserve(shadow_->peers().size());
  for (const lane::LanePeerSnapshot& live : lane_peers()) {
    const DeviceShadow::Peer* peer = shadow_->find(live.id);
    TW_ASSERT(peer != nullptr);
    PeerState& out = state.peers.emplace_back();
    out.public_key = peer->public_key;
    out.preshared_key = peer->preshared_key;
    out.endpoint = live.endpoint;
    out.allowed_ips = peer->allowed_ips;
    std::ranges::sort(out.allowed_ips);
    out.persistent_keepalive_s = peer->persistent_keepalive_s;
    out.last_handshake = live.last_handshake;
    out.rx_bytes = live.received_bytes;
    out.tx_bytes = live.sent_bytes;
  }
  return state;
}

std::vector<RememberedPeer> Device::recent_peers(std::span<const RememberedPeer> before) {
  const std::lock_guard lock{mutex_};
  const WallTime now = clock_.wall();
  std::vector<RememberedPeer> recent;
  for (const lane::LanePeerSnapshot& live : lane_peers()) {
    const DeviceShadow::Peer* peer = shadow_->find(live.id);
    TW_ASSERT(peer != nullptr);
    if (!live.endpoint || live.last_handshake.since_epoch + remembered_for < now.since_epoch) {
      continue;
    }
    recent.push_back({peer->public_key, *live.endpoint, live.local, live.last_handshake});
  }
  for (const RememberedPeer& peer : before) {
    if (shadow_->find(peer.public_key) != nullptr) recent.push_back(peer);
  }
  return recent;
}

std::size_t Device::greet(std::span<const RememberedPeer> peers) {
  const std::lock_guard lock{mutex_};
  std::size_t asked = 0;
  run_on(*data_, [&] {
    for (const RememberedPeer& peer : peers) {
      const std::optional<wg::PeerId> id = shadow_->id_of(peer.public_key);
      if (id && data_lane_->greet(*id, peer.endpoint, peer.local, clock_.now())) ++asked;
    }
  });
  return asked;
}

std::vector<crypto::PublicKey> Device::take_unanswered() {
  const std::set<wg::PeerId> unanswered = unanswered_.take();
  const std::lock_guard lock{mutex_};
  std::vector<crypto::PublicKey> keys;
  for (const wg::PeerId id : unanswered) {
    if (const DeviceShadow::Peer* peer = shadow_->find(id)) keys.push_back(peer->public_key);
  }
  return keys;
}

std::uint16_t Device::listen_port() const {
  const std::lock_guard lock{mutex_};
  return sockets_->port();
}

std::uint64_t Device::kernel_drops() const {
  const std::lock_guard lock{mutex_};
  return kernel_drops_before_ + sockets_->kernel_drops() +
         (draining_ ? draining_->kernel_drops() : 0);
}

}  // namespace tw::node
