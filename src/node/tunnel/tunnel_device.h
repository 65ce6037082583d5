// The WireGuard device put together: a TUN, UDP sockets, and a tunnel on its threads. A change
// comes as a DeviceChange and is validated whole; what is not different is not touched.
//
//   control thread ──apply()──▶ shadow ──plan──▶ handshake worker, then lanes' workers (by message)
//
// The handshake worker knows a peer first, and forgets it first. Addresses and routes are not the
// device's business (node/links/links.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/aead_choice.h"
#include "lane/counters.h"
#include "lane/tunnel.h"
#include "node/device/deferred.h"
#include "node/device/device.h"
#include "node/device/device_shadow.h"
#include "node/device/device_tuning.h"
#include "node/endpoints/remembered_peers.h"
#include "node/endpoints/unanswered_peers.h"
#include "node/tunnel/tun_queues.h"
#include "node/tunnel/tunnel_sockets.h"
#include "node/tunnel/tunnel_steering.h"
#include "node/tunnel/tunnel_threads.h"
#include "node/tunnel/tunnel_watch.h"

namespace tw::node {

struct DeviceSettings {
  std::string interface;
  std::uint32_t mtu = 1420;  ///< bytes, of inner packets
  /// At a time, at most as many as a lane has room for.
  std::size_t peers_max = lane::PeerTable::peers_max;
  DeviceTuning tuning{};
  DeviceWorkers workers{};
};

/// Where one lane reports SYNs, and is answered.
struct SynEnds {
  WakingRing<SynReport>* reports = nullptr;
  ContextRing<SynAnswer>* answers = nullptr;
};

/// References stay good as long as the device; any thread may read.
struct DeviceCounters {
  std::vector<const lane::LaneCounters*> lanes;
  const lane::HandshakeCounters& handshakes;
};

class Device final : public DeviceControl, private TunnelWatch::Listener {
 public:
  /// Opens the TUN (down, without addresses) and sockets on any free port. Needs CAP_NET_ADMIN and
  /// /dev/net/tun. Starts no thread: privileges may be dropped between this and start().
  static Result<std::unique_ptr<Device>> open(const DeviceSettings& settings);
  /// Stops the workers and closes everything; the interface goes with it.
  ~Device() override;

  /// Starts the workers. Before anything below.
  Result<void> start();

  /// Only one thread at a time configures; status may be asked from any. Fails, with nothing
  /// changed, if the port is in use, the mark is refused, or there would be too many peers.
  /// 10,000 new peers take some 0.1 s, in messages of 256.
  Result<void> apply(const DeviceChange& change) override;
  Result<DeviceState> state() override;
  /// Returns how often apply() has changed something, whoever called it. Any thread.
  std::uint64_t changes() const noexcept { return changes_.load(std::memory_order_relaxed); }

  const std::string& interface() const noexcept { return tun_->interface(); }
  int ifindex() const noexcept { return tun_->ifindex(); }
  std::uint16_t listen_port() const;
  /// The secrets that the pair of us and a peer has.
  struct Pair {
    crypto::PrivateKey ours;
    crypto::PresharedKey preshared;
  };
  /// Returns those of now; empty if there is no private key, or no such peer.
  std::optional<Pair> identities_with(const crypto::PublicKey& peer) const;
  /// Returns the engine that seals and opens, and why the others do not.
  const crypto::AeadChoice& cipher() const noexcept { return cipher_; }
  TuningInEffect tuning();
  /// For want of eBPF the TUN's queue is bounded by its length, which nobody else may change.
  bool tun_queue_in_packets() const noexcept { return tun_->is_limited_in_packets(); }
  /// The only part of the tuning that can change while the device runs.
  void set_dscp(lane::DscpPolicy policy);
  /// SYNs that come out of the tunnel are reported to the rings of their lane (lane/tunnel_lane.h);
  /// without any: nowhere. Those that are held are answered there, by the lane's number. `by_lane`:
  /// for each lane, its answers made on syn_context(). The rings must outlive the device, or be
  /// taken away first. Waits for the lanes.
  void report_syns(std::span<const SynEnds> by_lane);
  /// SYNs wait for those answers from now on, or do not. Waits for the lanes.
  void hold_syns(bool hold);
  std::size_t lanes() const noexcept { return threads_->lanes(); }
  /// The context that answers about SYNs of a lane go to.
  ExecContext& syn_context(std::size_t lane) noexcept { return threads_->lane_context(lane); }
  DeviceCounters counters() const;
  /// Datagrams that the UDP sockets had no room for, since the start. The TUN's own drops
  /// (tx_dropped) are in its LinkState (machine/netlink/netlink.h).
  std::uint64_t kernel_drops() const;
  /// Readable once somebody has deleted the interface.
  int gone_fd() const noexcept { return watch_->gone_fd(); }
  /// Peers that have a session, or had one lately, and where they are; then those of `before` who
  /// are peers, too, whether they are among the former or not.
  std::vector<RememberedPeer> recent_peers(std::span<const RememberedPeer> before);
  /// Asks these for a handshake, as far as they are peers and have no session yet; returns how many
  /// are asked. One without an endpoint is looked for where it is remembered. Waits for the lanes;
  /// a handshake costs the handshake worker 0.2 ms, so a few dozen at a time.
  std::size_t greet(std::span<const RememberedPeer> peers);
  /// Peers whose initiations have gone unanswered since the last call.
  std::vector<crypto::PublicKey> take_unanswered();
  /// Readable when take_unanswered() has something.
  int unanswered_fd() const noexcept { return unanswered_.wait_fd(); }

 private:
  Device();
  Result<void> open_parts(const DeviceSettings& settings);
  bool wants_new_port(const DeviceChange& change) const noexcept;
  Result<void> change_sockets(const DeviceChange& change);
  Result<void> open_sockets(std::uint16_t port, std::uint32_t fwmark);
  void use_sockets() noexcept;
  void close(TunnelSockets& sockets) noexcept;
  void end_drain() noexcept;
  void mtu_changed(std::uint32_t mtu) noexcept override;
  void link_changed(bool is_up, Instant now) noexcept override;
  void paths_changed() noexcept override;
  void moved(std::uint32_t ifindex) noexcept override;
  std::optional<Duration> follow_link() noexcept;
  void link_down() noexcept;
  Result<void> link_up();
  void restart_keepalives(std::span<const PeerStep> except);
  void hand_over(DevicePlan plan);
  void remove_peers(std::span<const wg::PeerId> peers);
  void change_private_key(const crypto::PrivateKey& key, std::span<const PeerStep> later);
  void change_peers(std::span<const PeerStep> steps);
  void change_lane_peers(std::span<const PeerStep> steps);
  void change_lane_peer(lane::TunnelLane& lane, const PeerStep& step, bool owns) noexcept;
  std::vector<lane::LanePeerSnapshot> lane_peers();

  DeviceTuning tuning_;       // as wanted
  mutable std::mutex mutex_;  // shadow and sockets: status comes from other threads
  std::optional<DeviceShadow> shadow_;
  std::uint16_t wanted_port_ = 0;          // 0: any
  std::uint64_t kernel_drops_before_ = 0;  // of sockets that were closed

  SystemClock clock_;
  SystemRandom random_;
  crypto::AeadChoice cipher_;
  std::optional<TunQueues> tun_;
  UnansweredPeers unanswered_;
  PathChanges paths_;
  std::optional<TunnelSockets> sockets_;
  std::optional<TunnelSockets> draining_;  // of the port before
  std::unique_ptr<TunnelThreads> threads_;
  TunnelSteering steering_;
  std::unique_ptr<TunnelWatch> watch_;
  // On the handshake worker. They take the mutex only if nobody has it: whoever has it may be
  // waiting for that worker.
  Deferred drain_end_, link_;
  bool link_is_up_ = true;    // the state that link_ is to bring about
  bool logged_deaf_ = false;  // once until link_ succeeds
  std::atomic<std::uint64_t> changes_{0};
};

}  // namespace tw::node
