#include "node/tunnel/tunnel_device.h"

#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "crypto/stack.h"

namespace tw::node {
namespace {

/// So that a large change holds up packets and handshakes for a moment only.
constexpr std::size_t peers_per_message = 256;
/// The time for which the port before is still listened on: a round trip until the peers know the
/// new one, and what queues on the way may hold back.
constexpr Duration drain_time = 3s;
constexpr Duration busy_delay = 10ms, retry_delay = 1s;
/// As many peers at a time as hold up packets for some 50 us.
constexpr std::uint32_t slots_per_snapshot = 1024;

template <typename Item, typename Visitor>
void in_chunks(std::span<const Item> items, Visitor&& visit) {
  for (std::size_t first = 0; first < items.size(); first += peers_per_message) {
    visit(items.subspan(first, std::min(peers_per_message, items.size() - first)));
  }
}

}  // namespace

// ---- Opening and closing

Device::Device()
    : drain_end_([this]() noexcept -> std::optional<Duration> {
        const std::unique_lock lock{mutex_, std::try_to_lock};
        if (!lock) return busy_delay;
        end_drain();
        return std::nullopt;
      }),
      link_([this]() noexcept { return follow_link(); }) {}

Result<std::unique_ptr<Device>> Device::open(const DeviceSettings& settings) {
  std::unique_ptr<Device> device{new Device};
  if (Result<void> done = device->open_parts(settings); !done) {
    return std::unexpected(done.error());
  }
  return device;
}

Result<void> Device::open_parts(const DeviceSettings& settings) {
  TW_ASSERT(settings.peers_max <= lane::PeerTable::peers_max);
  tuning_ = settings.tuning;
  Result<crypto::AeadChoice> cipher = crypto::choose_aead_engine(settings.tuning.cipher, clock_);
  if (!cipher) return std::unexpected(cipher.error());
  cipher_ = std::move(*cipher);
  Result<TunQueues> tun =
      TunQueues::open(settings.interface, settings.mtu, settings.workers.max, settings.tuning);
  if (!tun) return std::unexpected(tun.error());
  tun_ = std::move(*tun);
  tuning_.offloads.tun_udp_tunnel = tun_->gives_udp_tunnels();
  paths_.tunnel_device.store(static_cast<std::uint32_t>(ifindex()), std::memory_order_relaxed);

  Result<TunnelSockets> sockets =
      TunnelSockets::open(0, 0, tuning_.offloads, &paths_, settings.workers.max);
  if (!sockets) return std::unexpected(sockets.error());
  sockets_ = std::move(*sockets);
  shadow_.emplace(settings.peers_max);

  lane::TunnelLaneLimits limits;
  limits.sessions.peers = settings.peers_max;
  Result<std::unique_ptr<TunnelThreads>> threads = TunnelThreads::create(
      *tun_, cipher_, settings.tuning.governor, settings.workers.cores, limits, random_, clock_);
  if (!threads) return std::unexpected(threads.error());
  threads_ = std::move(*threads);
  lane::Tunnel& tunnel = threads_->tunnel();
  for (std::size_t number = 0; number < tunnel.lanes(); ++number) {
    lane::TunnelLane& lane = tunnel.lane(number);
    lane.set_mtu(settings.mtu);
    lane.set_dscp(settings.tuning.dscp);
    lane.set_queue_limit(settings.tuning.queue_limit);
    lane.set_udp_ports(sockets_->ports(number));
  }
  steering_ = TunnelSteering::start(settings.workers.steering, tunnel, *tun_, *sockets_);
  tunnel.handshakes().on_unanswered([this](wg::PeerId peer) { unanswered_.note(peer); });

  Result<std::unique_ptr<TunnelWatch>> watch = TunnelWatch::open(ifindex(), tun_->fd(), *this);
  if (!watch) return std::unexpected(watch.error());
  watch_ = std::move(*watch);
  return {};
}

Result<void> Device::start() {
  Worker& control = threads_->handshake_worker();
  control.attach(*watch_);
  control.attach(drain_end_);
  control.attach(link_);
  return threads_->start();
}

Device::~Device() {
  if (threads_ != nullptr) threads_->stop();
}

// ---- Configuration

Result<void> Device::apply(const DeviceChange& change) {
  const std::lock_guard lock{mutex_};
  if (Result<void> good = shadow_->check(change); !good) return good;
  if (Result<void> done = change_sockets(change); !done) return done;
  hand_over(shadow_->apply(change));
  changes_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

bool Device::wants_new_port(const DeviceChange& change) const noexcept {
  if (!change.listen_port || *change.listen_port == sockets_->port()) return false;
  // Any port was asked for before, and one was given.
  return *change.listen_port != 0 || wanted_port_ != 0;
}

/// The only part that may fail, so it comes first.
Result<void> Device::change_sockets(const DeviceChange& change) {
  const std::uint32_t fwmark = change.fwmark.value_or(sockets_->fwmark());
  if (wants_new_port(change)) {
    if (Result<void> done = open_sockets(*change.listen_port, fwmark); !done) return done;
  } else if (fwmark != sockets_->fwmark()) {
    if (Result<void> done = sockets_->set_fwmark(fwmark); !done) return done;
  }
  if (change.listen_port) wanted_port_ = *change.listen_port;
  return {};
}

/// The ones before are drained, so that nothing on its way is lost, unless no peer knows them.
Result<void> Device::open_sockets(std::uint16_t port, std::uint32_t fwmark) {
  if (!sockets_->is_open()) {
    sockets_->set_port(port);
    return sockets_->set_fwmark(fwmark);
  }
  const bool is_back = draining_ && port != 0 && draining_->port() == port;
  if (is_back) {
    if (Result<void> marked = draining_->set_fwmark(fwmark); !marked) return marked;
    std::swap(*draining_, *sockets_);
  } else {
    Result<TunnelSockets> sockets =
        TunnelSockets::open(port, fwmark, tuning_.offloads, &paths_, lanes());
    if (!sockets) return std::unexpected(sockets.error());
    end_drain();
    draining_ = std::exchange(*sockets_, std::move(*sockets));
  }
  use_sockets();
  steering_.use(*sockets_);
  std::size_t told = 0;
  threads_->on_lanes(
      [&](lane::TunnelLane& lane, std::size_t) { told += lane.announce(clock_.now()); });
  if (told == 0) {
    end_drain();
  } else {
    threads_->on_handshakes(
        [&](lane::HandshakeLane&) { drain_end_.at(clock_.now() + drain_time); });
  }
  return {};
}

void Device::use_sockets() noexcept {
  threads_->on_detached_lanes([&](lane::TunnelLane& lane, std::size_t number) {
    lane.set_udp_ports(sockets_->ports(number),
                       draining_ ? draining_->ports(number) : lane::UdpPorts{});
  });
}

/// After the lane has let go of them.
void Device::close(TunnelSockets& sockets) noexcept {
  kernel_drops_before_ += sockets.kernel_drops();
  sockets.close();
}

void Device::end_drain() noexcept {
  if (!draining_) return;
  std::optional<TunnelSockets> drained = std::exchange(draining_, std::nullopt);
  use_sockets();
  close(*drained);
}

// ---- What others do to the interface, on the handshake worker

void Device::mtu_changed(std::uint32_t mtu) noexcept {
  threads_->post_to_lanes([mtu](lane::TunnelLane& lane) { lane.set_mtu(mtu); });
  // In another namespace it keeps the limit that it came with: longer trains are cut in two.
  if (paths_.tunnel_device.load(std::memory_order_relaxed) != 0) tun_->mtu_changed(mtu);
}

void Device::paths_changed() noexcept { paths_.generation.fetch_add(1, std::memory_order_relaxed); }

void Device::moved(std::uint32_t ifindex) noexcept {
  paths_.tunnel_device.store(ifindex, std::memory_order_relaxed);
  paths_changed();
}

void Device::link_changed(bool is_up, Instant now) noexcept {
  link_is_up_ = is_up;
  logged_deaf_ = false;
  link_.at(now);
}

std::optional<Duration> Device::follow_link() noexcept {
  const std::unique_lock lock{mutex_, std::try_to_lock};
  if (!lock) return busy_delay;
  if (link_is_up_ == sockets_->is_open()) return std::nullopt;
  if (!link_is_up_) {
    link_down();
    return std::nullopt;
  }
  const Result<void> up = link_up();
  if (up) return std::nullopt;
  if (!logged_deaf_) log::error("{} is up, but deaf: {}", interface(), up.error().text());
  logged_deaf_ = true;
  return retry_delay;
}

/// wg_stop() of the kernel's device.
void Device::link_down() noexcept {
  drain_end_.cancel();
  std::optional<TunnelSockets> drained = std::exchange(draining_, std::nullopt);
  threads_->on_detached_lanes([&](lane::TunnelLane& lane, std::size_t) {
    lane.clear_sessions(clock_.now());
    lane.set_udp_ports({});
  });
  wg::Handshaker& handshaker = threads_->tunnel().handshakes().handshaker();
  for (const auto& [id, peer] : shadow_->peers()) handshaker.forget(id);
  if (drained) close(*drained);
  close(*sockets_);
}

/// wg_open() of the kernel's device.
Result<void> Device::link_up() {
  Result<TunnelSockets> sockets =
      TunnelSockets::open(sockets_->port(), sockets_->fwmark(), tuning_.offloads, &paths_, lanes());
  if (!sockets) return std::unexpected(sockets.error());
  sockets_ = std::move(*sockets);
  use_sockets();
  steering_.use(*sockets_);
  restart_keepalives({});
  return {};
}

// ---- Peers

void Device::hand_over(DevicePlan plan) {
  in_chunks(std::span<const wg::PeerId>{plan.removed},
            [this](std::span<const wg::PeerId> peers) { remove_peers(peers); });
  if (plan.private_key) change_private_key(*plan.private_key, plan.peers);
  in_chunks(std::span<const PeerStep>{plan.peers},
            [this](std::span<const PeerStep> steps) { change_peers(steps); });
  steering_.follow(plan);
}

void Device::remove_peers(std::span<const wg::PeerId> peers) {
  threads_->on_handshakes([&](lane::HandshakeLane& handshakes) {
    for (const wg::PeerId id : peers) handshakes.handshaker().remove_peer(id);
    crypto::wipe_stack();
  });
  threads_->on_lanes([&](lane::TunnelLane& lane, std::size_t number) {
    for (const wg::PeerId id : peers) {
      if (threads_->tunnel().lane_of(id) == number) {
        lane.remove_peer(id, clock_.now());
      } else {
        lane.allowed_ips().remove_peer(id);
      }
    }
  });
}

void Device::change_private_key(const crypto::PrivateKey& key, std::span<const PeerStep> later) {
  threads_->on_handshakes([&](lane::HandshakeLane& handshakes) {
    handshakes.handshaker().set_private_key(key);
    crypto::wipe_stack();
  });
  std::optional<crypto::PublicKey> own;
  if (!key.is_zero()) own = crypto::public_key_of(crypto::clamped(key));
  threads_->on_lanes([&](lane::TunnelLane& lane, std::size_t) {
    lane.set_public_key(own);
    lane.clear_sessions(clock_.now());
  });
  restart_keepalives(later);
}

/// Clearing a session stops its persistent keepalives too. Who is added later has none yet.
void Device::restart_keepalives(std::span<const PeerStep> except) {
  std::unordered_set<std::uint32_t> added;
  for (const PeerStep& step : except) {
    if (step.added) added.insert(step.id.value);
  }
  std::vector<PeerStep> restarts;
  for (const auto& [id, peer] : shadow_->peers()) {
    if (peer.persistent_keepalive_s == 0 || added.contains(id.value)) continue;
    PeerStep& step = restarts.emplace_back();
    step.id = id;
    step.keepalive = std::chrono::seconds{peer.persistent_keepalive_s};
  }
  in_chunks(std::span<const PeerStep>{restarts},
            [this](std::span<const PeerStep> steps) { change_lane_peers(steps); });
}

void Device::change_peers(std::span<const PeerStep> steps) {
  threads_->on_handshakes([&](lane::HandshakeLane& handshakes) {
    wg::Handshaker& handshaker = handshakes.handshaker();
    for (const PeerStep& step : steps) {
      if (step.added) TW_ASSERT(handshaker.add_peer(step.id, *step.added));
      if (step.preshared_key) handshaker.set_preshared_key(step.id, *step.preshared_key);
    }
    crypto::wipe_stack();
  });
  change_lane_peers(steps);
}

void Device::change_lane_peers(std::span<const PeerStep> steps) {
  threads_->on_lanes([&](lane::TunnelLane& lane, std::size_t number) {
    for (const PeerStep& step : steps) {
      change_lane_peer(lane, step, threads_->tunnel().lane_of(step.id) == number);
    }
  });
}

/// The lanes that do not own the peer learn its prefixes only.
void Device::change_lane_peer(lane::TunnelLane& lane, const PeerStep& step, bool owns) noexcept {
  if (step.added && owns) lane.add_peer(step.id);
  for (const Prefix& prefix : step.loses) lane.allowed_ips().remove(prefix, step.id);
  for (const Prefix& prefix : step.gains) lane.allowed_ips().insert(prefix, step.id);
  if (!owns) return;
  const bool has_a_way = step.endpoint && lane.set_endpoint(step.id, *step.endpoint);
  // Last: they may send at once.
  if (step.keepalive) {
    lane.set_persistent_keepalive(step.id, *step.keepalive, clock_.now());
  } else if (has_a_way) {
    lane.resume_keepalive(step.id, clock_.now());
  }
}

void Device::report_syns(std::span<const SynEnds> by_lane) {
  TW_ASSERT(by_lane.empty() || by_lane.size() == lanes());
  threads_->on_lanes([&](lane::TunnelLane& lane, std::size_t number) {
    const SynEnds ends = by_lane.empty() ? SynEnds{} : by_lane[number];
    lane.report_syns(ends.reports, ends.answers, number);
  });
}

void Device::hold_syns(bool hold) {
  threads_->on_lanes([&](lane::TunnelLane& lane, std::size_t) { lane.hold_syns(hold); });
}

void Device::set_dscp(lane::DscpPolicy policy) {
  threads_->on_lanes([&](lane::TunnelLane& lane, std::size_t) { lane.set_dscp(policy); });
}

// ---- Status: copies, taken on the contexts that own what is copied

TuningInEffect Device::tuning() {
  const std::lock_guard lock{mutex_};
  TuningInEffect now{tuning_.offloads, tuning_.queue_limit, tun_->is_limited_in_time(),
                     tuning_.governor, steering_.by()};
  threads_->on_lanes([&](const lane::TunnelLane&, std::size_t number) {
    const PortCapabilities tun = tun_->port(number).capabilities();
    now.offloads.tun_tcp = now.offloads.tun_tcp && tun.tcp_trains;
    now.offloads.tun_udp = now.offloads.tun_udp && tun.udp_trains;
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
    threads_->on_lanes([&](lane::TunnelLane& lane, std::size_t) {
      slots = std::max(slots, lane.slots());
      const auto part = lane.snapshot(static_cast<std::uint32_t>(first), slots_per_snapshot);
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
  threads_->on_lanes([&](lane::TunnelLane& lane, std::size_t number) {
    for (const RememberedPeer& peer : peers) {
      const std::optional<wg::PeerId> id = shadow_->id_of(peer.public_key);
      if (!id || threads_->tunnel().lane_of(*id) != number) continue;
      if (lane.greet(*id, peer.endpoint, peer.local, clock_.now())) ++asked;
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

DeviceCounters Device::counters() const {
  const lane::Tunnel& tunnel = threads_->tunnel();
  DeviceCounters counters{.lanes = {}, .handshakes = tunnel.handshakes().counters()};
  for (std::size_t number = 0; number < tunnel.lanes(); ++number) {
    counters.lanes.push_back(&tunnel.lane(number).counters());
  }
  return counters;
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
