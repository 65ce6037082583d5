#include "node/tunnel/tunnel_device.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "crypto/stack.h"
#include "machine/netlink/netlink.h"
#include "node/device/run_on.h"
#include "node/tunnel/tun_settings.h"
#include "port/udp/sockets.h"

namespace tw::node {
namespace {

/// So that a large change holds up packets and handshakes for a moment only.
constexpr std::size_t peers_per_message = 256;
/// How long the port before is still listened on: a round trip until the peers know the new one,
/// and what queues on the way may hold back.
constexpr Duration drain_time = 3s;
constexpr Duration busy_delay = 10ms, retry_delay = 1s;
/// Of the handshake worker, relative to data workers at 0 (docs/decisions/0007-handshake-share.md):
/// a seventh of a CPU beside two of them that spin on it, a quarter beside one, and let in at once
/// after it has slept.
constexpr int handshake_nice = 5;
constexpr Duration handshake_slice = 100us;
constexpr ContextId data_context{0}, handshake_context{1};

/// So that a train fits one send. Longer ones are cut in two: slower, no more. But what a device
/// above makes of up to 64 KB (VXLAN, whose own limit we do not know) the kernel would cut into
/// single packets if this one took less.
void limit_trains(const std::string& interface, std::uint32_t mtu, bool has_tunnels) {
  constexpr std::uint32_t most = 65'536;
  const std::uint32_t bytes = has_tunnels ? most : tun_gso_max_size(mtu);
  Result<Netlink> netlink = Netlink::open();
  const Result<void> limited = netlink ? netlink->set_gso_max_size(interface, bytes)
                                       : Result<void>{std::unexpected(netlink.error())};
  if (!limited) log::warning("{}", limited.error().text());
}

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
  engine_ = cipher_.make();
  const Result<CoalescerKinds> tun_takes = open_tun_port(settings);
  if (!tun_takes) return std::unexpected(tun_takes.error());

  Result<TunnelSockets> sockets = TunnelSockets::open(0, 0, tuning_.offloads, &paths_);
  if (!sockets) return std::unexpected(sockets.error());
  sockets_ = std::move(*sockets);
  shadow_.emplace(settings.peers_max);

  WorkerSettings data{.id = data_context, .name = "tw-data", .governor = settings.tuning.governor};
  Result<std::unique_ptr<Worker>> data_worker = Worker::create(std::move(data), clock_);
  if (!data_worker) return std::unexpected(data_worker.error());
  data_ = std::move(*data_worker);
  WorkerSettings handshakes{.id = handshake_context,
                            .name = "tw-handshakes",
                            .nice = handshake_nice,
                            .slice = handshake_slice};
  Result<std::unique_ptr<Worker>> handshake_worker = Worker::create(std::move(handshakes), clock_);
  if (!handshake_worker) return std::unexpected(handshake_worker.error());
  handshakes_ = std::move(*handshake_worker);

  lane::TunnelLaneLimits limits;
  limits.sessions.peers = settings.peers_max;
  data_lane_ = std::make_unique<lane::TunnelLane>(
      lane::TunnelLaneParts{*handshakes_, channel_, *engine_, *tun_, codec_, steering_,
                            data_context, *tun_takes},
      limits);
  data_lane_->set_mtu(settings.mtu);
  data_lane_->set_dscp(settings.tuning.dscp);
  data_lane_->set_queue_limit(settings.tuning.queue_limit);
  data_lane_->set_udp_ports(sockets_->ports());
  handshake_lane_ =
      std::make_unique<lane::HandshakeLane>(channel_, *data_, indices_, random_, clock_);
  handshake_lane_->on_unanswered([this](wg::PeerId peer) { unanswered_.note(peer); });

  Result<std::unique_ptr<TunnelWatch>> watch = TunnelWatch::open(ifindex_, tun_->wait_fd(), *this);
  if (!watch) return std::unexpected(watch.error());
  watch_ = std::move(*watch);
  return {};
}

/// Says which trains the TUN takes.
Result<CoalescerKinds> Device::open_tun_port(const DeviceSettings& settings) {
  const DeviceOffloads& wanted = settings.tuning.offloads;
  TunOptions options;
  options.tcp_segmentation = wanted.tun_tcp;
  options.udp_segmentation = wanted.tun_udp;
  options.udp_tunnel_segmentation = wanted.tun_udp_tunnel;
  options.mtu = settings.mtu;
  Result<TunDevice> tun = open_tun(settings.interface, options);
  if (!tun) return std::unexpected(tun.error());
  interface_ = tun->name;
  ifindex_ = tun->ifindex;
  paths_.tunnel_device.store(static_cast<std::uint32_t>(ifindex_), std::memory_order_relaxed);
  tun_ = std::make_unique<TunPort>(std::move(tun->queues.front()), tun->vnet_bytes);
  if (wanted.tun_tcp && !tun->offloads.tcp_segmentation) {
    log::warning("{}: this kernel's TUN has no TCP segmentation offload", interface_);
  }
  if (wanted.tun_udp && !tun->offloads.udp_segmentation) {
    log::warning("{}: this kernel's TUN has no UDP segmentation offload (Linux 6.2)", interface_);
  }
  // No warning: few kernels have it yet, and it is for tunnels inside this one only.
  if (wanted.tun_udp_tunnel && !tun->offloads.udp_tunnel_segmentation) {
    log::info("{}: this kernel's TUN has no trains inside UDP tunnels (Linux 6.17)", interface_);
  }
  tuning_.offloads.tun_udp_tunnel = tun->offloads.udp_tunnel_segmentation;
  quiet_tun(interface_);
  limit_trains(interface_, settings.mtu, tuning_.offloads.tun_udp_tunnel);
  tun_queue_ = TunQueueLimit::set(interface_, tun_->wait_fd(), settings.tuning.queue_limit);
  tun_->set_queue(tun_queue_.queue());
  return CoalescerKinds{.tcp = tun->offloads.tcp_segmentation,
                        .udp = tun->offloads.udp_segmentation};
}

Result<void> Device::start() {
  if (tun_queue_.queue() != nullptr) data_->attach(*tun_queue_.queue());
  data_->attach(*data_lane_);
  handshakes_->attach(*handshake_lane_);
  handshakes_->attach(*watch_);
  handshakes_->attach(drain_end_);
  handshakes_->attach(link_);
  if (Result<void> done = data_->start(); !done) return done;
  return handshakes_->start();
}

Device::~Device() {
  if (handshakes_ != nullptr) handshakes_->stop();
  if (data_ != nullptr) data_->stop();
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
    Result<TunnelSockets> sockets = TunnelSockets::open(port, fwmark, tuning_.offloads, &paths_);
    if (!sockets) return std::unexpected(sockets.error());
    end_drain();
    draining_ = std::exchange(*sockets_, std::move(*sockets));
  }
  use_sockets();
  std::size_t told = 0;
  run_on(*data_, [&] { told = data_lane_->announce(clock_.now()); });
  if (told == 0) {
    end_drain();
  } else {
    run_on(*handshakes_, [&] { drain_end_.at(clock_.now() + drain_time); });
  }
  return {};
}

void Device::use_sockets() noexcept {
  run_on(*data_, [&] {
    data_->detach(*data_lane_);
    data_lane_->set_udp_ports(sockets_->ports(), draining_ ? draining_->ports() : lane::UdpPorts{});
    data_->attach(*data_lane_);
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
  data_->post([this, mtu]() noexcept { data_lane_->set_mtu(mtu); });
  // In another namespace it keeps the limit that it came with: longer trains are cut in two.
  if (paths_.tunnel_device.load(std::memory_order_relaxed) != 0) {
    limit_trains(interface_, mtu, tuning_.offloads.tun_udp_tunnel);
  }
}

void Device::paths_changed() noexcept { paths_.generation.fetch_add(1, std::memory_order_relaxed); }

void Device::moved(std::uint32_t ifindex) noexcept {
  paths_.tunnel_device.store(ifindex, std::memory_order_relaxed);
  paths_changed();
}

void Device::link_changed(bool is_up, Instant now) noexcept {
  link_is_up_ = is_up;
  told_of_trouble_ = false;
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
  if (!told_of_trouble_) log::error("{} is up, but deaf: {}", interface_, up.error().text());
  told_of_trouble_ = true;
  return retry_delay;
}

/// wg_stop() of the kernel's device.
void Device::link_down() noexcept {
  drain_end_.cancel();
  std::optional<TunnelSockets> drained = std::exchange(draining_, std::nullopt);
  run_on(*data_, [&] {
    data_->detach(*data_lane_);
    data_lane_->clear_sessions(clock_.now());
    data_lane_->set_udp_ports({});
    data_->attach(*data_lane_);
  });
  for (const auto& [id, peer] : shadow_->peers()) handshake_lane_->handshaker().forget(id);
  if (drained) close(*drained);
  close(*sockets_);
}

/// wg_open() of the kernel's device.
Result<void> Device::link_up() {
  Result<TunnelSockets> sockets =
      TunnelSockets::open(sockets_->port(), sockets_->fwmark(), tuning_.offloads, &paths_);
  if (!sockets) return std::unexpected(sockets.error());
  sockets_ = std::move(*sockets);
  use_sockets();
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
}

void Device::remove_peers(std::span<const wg::PeerId> peers) {
  run_on(*handshakes_, [&] {
    for (const wg::PeerId id : peers) handshake_lane_->handshaker().remove_peer(id);
    crypto::wipe_stack();
  });
  run_on(*data_, [&] {
    for (const wg::PeerId id : peers) data_lane_->remove_peer(id, clock_.now());
  });
}

void Device::change_private_key(const crypto::PrivateKey& key, std::span<const PeerStep> later) {
  run_on(*handshakes_, [&] {
    handshake_lane_->handshaker().set_private_key(key);
    crypto::wipe_stack();
  });
  std::optional<crypto::PublicKey> own;
  if (!key.is_zero()) own = crypto::public_key_of(crypto::clamped(key));
  run_on(*data_, [&] {
    data_lane_->set_public_key(own);
    data_lane_->clear_sessions(clock_.now());
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
  in_chunks(std::span<const PeerStep>{restarts}, [this](std::span<const PeerStep> steps) {
    run_on(*data_, [&] {
      for (const PeerStep& step : steps) change_lane_peer(step);
    });
  });
}

void Device::change_peers(std::span<const PeerStep> steps) {
  run_on(*handshakes_, [&] {
    wg::Handshaker& handshaker = handshake_lane_->handshaker();
    for (const PeerStep& step : steps) {
      if (step.added) TW_ASSERT(handshaker.add_peer(step.id, *step.added));
      if (step.preshared_key) handshaker.set_preshared_key(step.id, *step.preshared_key);
    }
    crypto::wipe_stack();
  });
  run_on(*data_, [&] {
    for (const PeerStep& step : steps) change_lane_peer(step);
  });
}

void Device::change_lane_peer(const PeerStep& step) noexcept {
  if (step.added) data_lane_->add_peer(step.id);
  for (const Prefix& prefix : step.loses) data_lane_->allowed_ips().remove(prefix, step.id);
  for (const Prefix& prefix : step.gains) data_lane_->allowed_ips().insert(prefix, step.id);
  const bool has_a_way = step.endpoint && data_lane_->set_endpoint(step.id, *step.endpoint);
  // Last: they may send at once.
  if (step.keepalive) {
    data_lane_->set_persistent_keepalive(step.id, *step.keepalive, clock_.now());
  } else if (has_a_way) {
    data_lane_->resume_keepalive(step.id, clock_.now());
  }
}

void Device::report_syns(WakingRing<SynReport>* reports, ContextRing<SynAnswer>* answers) {
  run_on(*data_, [&] { data_lane_->report_syns(reports, answers); });
}

void Device::hold_syns(bool hold) {
  run_on(*data_, [&] { data_lane_->hold_syns(hold); });
}

ExecContext& Device::packet_context() noexcept { return *data_; }

void Device::set_dscp(lane::DscpPolicy policy) {
  run_on(*data_, [&] { data_lane_->set_dscp(policy); });
}

}  // namespace tw::node
