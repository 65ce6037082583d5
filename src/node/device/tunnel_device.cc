#include "node/device/tunnel_device.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "node/machine/netlink.h"
#include "port/sockets.h"

namespace tw::node {
namespace {

/// So that a large change holds up packets and handshakes for a moment only.
constexpr std::size_t peers_per_message = 256;
constexpr ContextId data_context{0}, handshake_context{1};

/// Runs `work` on the worker and waits. The mailbox cannot be full: only we write to it, and wait.
template <typename Work>
void run_on(Worker& worker, Work&& work) {
  TW_ASSERT(worker.call([&work]() noexcept { work(); }));
}

template <typename Item, typename Visitor>
void in_chunks(std::span<const Item> items, Visitor&& visit) {
  for (std::size_t first = 0; first < items.size(); first += peers_per_message) {
    visit(items.subspan(first, std::min(peers_per_message, items.size() - first)));
  }
}

}  // namespace

// ---- Opening and closing

Result<std::unique_ptr<Device>> Device::open(const DeviceSettings& settings) {
  std::unique_ptr<Device> device{new Device};
  if (Result<void> done = device->open_parts(settings); !done) {
    return std::unexpected(done.error());
  }
  return device;
}

Result<void> Device::open_parts(const DeviceSettings& settings) {
  Result<crypto::AeadChoice> cipher = crypto::choose_aead_engine(settings.cipher_engine, clock_);
  if (!cipher) return std::unexpected(cipher.error());
  cipher_ = std::move(*cipher);
  engine_ = cipher_.make();
  const Result<CoalescerKinds> tun_takes = open_tun_port(settings);
  if (!tun_takes) return std::unexpected(tun_takes.error());

  Result<TunnelSockets> sockets = TunnelSockets::open(0, 0);
  if (!sockets) return std::unexpected(sockets.error());
  sockets_ = std::move(*sockets);
  shadow_.emplace(settings.peers_max);

  WorkerSettings data{.id = data_context, .name = "tw-data", .governor = settings.governor};
  Result<std::unique_ptr<Worker>> data_worker = Worker::create(std::move(data), clock_);
  if (!data_worker) return std::unexpected(data_worker.error());
  data_ = std::move(*data_worker);
  WorkerSettings handshakes{.id = handshake_context, .name = "tw-handshakes"};
  Result<std::unique_ptr<Worker>> handshake_worker = Worker::create(std::move(handshakes), clock_);
  if (!handshake_worker) return std::unexpected(handshake_worker.error());
  handshakes_ = std::move(*handshake_worker);

  lane::TunnelLaneLimits limits;
  limits.peers = settings.peers_max;
  data_lane_ = std::make_unique<lane::TunnelLane>(
      lane::TunnelLaneParts{*handshakes_, channel_, *engine_, *tun_, codec_, steering_,
                            data_context, *tun_takes},
      limits);
  data_lane_->set_mtu(settings.mtu);
  data_lane_->set_udp_ports(sockets_->ports());
  handshake_lane_ =
      std::make_unique<lane::HandshakeLane>(channel_, *data_, indices_, random_, clock_);
  handshake_lane_->on_unanswered([this](wg::PeerId peer) { unanswered_.note(peer); });

  Result<std::unique_ptr<TunnelWatch>> watch =
      TunnelWatch::open(ifindex_, tun_->wait_fd(), [this](std::uint32_t mtu) noexcept {
        data_->post([this, mtu]() noexcept { data_lane_->set_mtu(mtu); });
      });
  if (!watch) return std::unexpected(watch.error());
  watch_ = std::move(*watch);
  return {};
}

/// Says which trains the TUN takes.
Result<CoalescerKinds> Device::open_tun_port(const DeviceSettings& settings) {
  const DeviceOffloads& wanted = settings.offloads;
  TunOptions options;
  options.tcp_segmentation = wanted.tun_tcp;
  options.udp_segmentation = wanted.tun_udp;
  options.mtu = settings.mtu;
  Result<TunDevice> tun = open_tun(settings.interface, options);
  if (!tun) return std::unexpected(tun.error());
  interface_ = tun->name;
  ifindex_ = tun->ifindex;
  tun_ = std::make_unique<TunPort>(std::move(tun->queues.front()), tun->vnet_header);
  if (wanted.tun_tcp && !tun->offloads.tcp_segmentation) {
    log::warning("{}: this kernel's TUN has no TCP segmentation offload", interface_);
  }
  if (wanted.tun_udp && !tun->offloads.udp_segmentation) {
    log::warning("{}: this kernel's TUN has no UDP segmentation offload (Linux 6.2)", interface_);
  }
  // So that a train fits one send. Longer ones are cut in two: slower, no more.
  Result<Netlink> netlink = Netlink::open();
  const Result<void> limited =
      netlink ? netlink->set_gso_max_size(interface_, tun_gso_max_size(settings.mtu))
              : Result<void>{std::unexpected(netlink.error())};
  if (!limited) log::warning("{}", limited.error().text());
  return CoalescerKinds{.tcp = tun->offloads.tcp_segmentation,
                        .udp = tun->offloads.udp_segmentation};
}

Result<void> Device::start() {
  data_->attach(*data_lane_);
  handshakes_->attach(*handshake_lane_);
  handshakes_->attach(*watch_);
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
    Result<TunnelSockets> sockets = TunnelSockets::open(*change.listen_port, fwmark);
    if (!sockets) return std::unexpected(sockets.error());
    swap_sockets(std::move(*sockets));
  } else if (fwmark != sockets_->fwmark()) {
    if (Result<void> done = sockets_->set_fwmark(fwmark); !done) return done;
  }
  if (change.listen_port) wanted_port_ = *change.listen_port;
  return {};
}

void Device::swap_sockets(TunnelSockets sockets) {
  run_on(*data_, [&] {
    data_->detach(*data_lane_);
    data_lane_->set_udp_ports(sockets.ports());
    data_->attach(*data_lane_);
  });
  kernel_drops_before_ += sockets_->kernel_drops();
  sockets_ = std::move(sockets);
}

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
  });
  run_on(*data_, [&] {
    for (const wg::PeerId id : peers) data_lane_->remove_peer(id, clock_.now());
  });
}

void Device::change_private_key(const crypto::PrivateKey& key, std::span<const PeerStep> later) {
  run_on(*handshakes_, [&] { handshake_lane_->handshaker().set_private_key(key); });
  run_on(*data_, [&] { data_lane_->clear_sessions(clock_.now()); });
  // That has stopped the persistent keepalives too. Who is added later has none yet.
  std::unordered_set<std::uint32_t> added;
  for (const PeerStep& step : later) {
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
            [this](std::span<const PeerStep> steps) { change_peers(steps); });
}

void Device::change_peers(std::span<const PeerStep> steps) {
  run_on(*handshakes_, [&] {
    wg::Handshaker& handshaker = handshake_lane_->handshaker();
    for (const PeerStep& step : steps) {
      if (step.added) TW_ASSERT(handshaker.add_peer(step.id, *step.added));
      if (step.preshared_key) handshaker.set_preshared_key(step.id, *step.preshared_key);
    }
  });
  run_on(*data_, [&] {
    for (const PeerStep& step : steps) change_lane_peer(step);
  });
}

void Device::change_lane_peer(const PeerStep& step) noexcept {
  if (step.added) data_lane_->add_peer(step.id);
  for (const Prefix& prefix : step.loses) data_lane_->allowed_ips().remove(prefix, step.id);
  for (const Prefix& prefix : step.gains) data_lane_->allowed_ips().insert(prefix, step.id);
  if (step.endpoint) data_lane_->set_endpoint(step.id, *step.endpoint);
  // Last: it may send at once.
  if (step.keepalive) {
    data_lane_->set_persistent_keepalive(step.id, *step.keepalive, clock_.now());
  }
}

// ---- Status

std::vector<lane::LanePeerSnapshot> Device::lane_peers() {
  std::vector<lane::LanePeerSnapshot> peers;
  std::size_t slots = 1;
  for (std::size_t first = 0; first < slots; first += peers_per_message) {
    run_on(*data_, [&] {
      slots = data_lane_->slots();
      const auto part = data_lane_->snapshot(static_cast<std::uint32_t>(first), peers_per_message);
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

std::vector<crypto::PublicKey> Device::take_unanswered() {
  const std::lock_guard lock{mutex_};
  std::vector<crypto::PublicKey> keys;
  for (const wg::PeerId id : unanswered_.take()) {
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
  return kernel_drops_before_ + sockets_->kernel_drops();
}

}  // namespace tw::node
