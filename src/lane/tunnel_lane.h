// One worker's share of a tunnel: its peers, its sockets, its TUN queue, and the two pipelines
// between them. Run to completion: what a poll handles has left, or is counted, when it returns.
// One budget holds for all that a poll takes from; whom its end has cut short of nothing is last in
// the next poll, so that none of them starves beside another.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "crypto/aead_engine.h"
#include "exec/context.h"
#include "exec/timer_wheel.h"
#include "lane/counters.h"
#include "lane/handshake/handshake_channel.h"
#include "lane/handshake/handshake_gate.h"
#include "lane/peers/held_syns.h"
#include "lane/peers/peer_table.h"
#include "lane/receive/receive_pipeline.h"
#include "lane/transmit/icmp_replies.h"
#include "lane/transmit/transmit_pipeline.h"
#include "lane/turn_budget.h"
#include "port/port.h"

namespace tw::lane {

struct TunnelLaneLimits {
  std::size_t peers = 65536;          ///< timers; a slot costs 32 bytes
  std::size_t staged_packets = 4096;  ///< of all peers together; touched ones cost memory
  std::size_t staged_packet_bytes = 2048;
  std::size_t receive_trains = 128;  ///< handled together, each with room for a full UDP_GRO train
  std::size_t tun_packets = 128;     ///< the same for what comes from the TUN
};

/// What the lane runs on. All must outlive it.
struct TunnelLaneParts {
  ExecContext& handshakes;  ///< woken when there is a request
  HandshakeChannel& channel;
  crypto::AeadEngine& engine;
  Port& tun;
  const ReceiverIndex& codec;
  const SteeringTable& steering;
  ContextId self;
  CoalescerKinds tun_takes{};  ///< which trains may be written to the TUN
};

/// A copy for status, taken on the lane's context.
struct LanePeerSnapshot {
  wg::PeerId id;
  std::optional<Endpoint> endpoint;
  LocalAddress local;
  WallTime last_handshake;
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
};

/// Everything but the counters: on the lane's own context only.
class TunnelLane final : public Poller {
 public:
  explicit TunnelLane(TunnelLaneParts parts, TunnelLaneLimits limits = {});
  ~TunnelLane() override;

  /// Before attach(), or between detach() and attach(): the descriptors to wait on change.
  /// `draining` are polled too, but never sent from: what is still on its way to them arrives.
  void set_udp_ports(UdpPorts ports, UdpPorts draining = {}) noexcept;
  /// Sends a keepalive to every peer with a session, so that all learn at once where we are now.
  /// Returns how many those are.
  std::size_t announce(Instant now) noexcept;
  void set_mtu(std::uint32_t mtu) noexcept { transmit_.set_mtu(mtu); }
  /// Which trains the TUN still takes.
  CoalescerKinds tun_takes() const noexcept { return receive_.tun_takes(); }
  void set_dscp(DscpPolicy policy) noexcept { transmit_.set_dscp(policy); }
  /// Where SYNs of the peers' TCP connections are reported before they cross the TUN; null, as to
  /// begin with: nowhere. `answers`: where those that are held are answered, every one. The rings
  /// must outlive the lane, or be taken away first; what is held then is dropped.
  void report_syns(WakingRing<SynReport>* reports,
                   ContextRing<SynAnswer>* answers = nullptr) noexcept;
  /// Whether SYNs wait for those answers from now on. Not to begin with.
  void hold_syns(bool hold) { syns_.hold(hold); }
  /// How long transport data may have waited in a socket; zero, as to begin with: any time.
  void set_queue_limit(Duration limit) noexcept { receive_.set_queue_limit(limit); }

  /// The handshake context must know the peer first, and on removal must have forgotten it first.
  void add_peer(wg::PeerId peer) noexcept;
  void remove_peer(wg::PeerId peer, Instant now) noexcept;
  /// True if the peer had none before: what was due to it meanwhile went nowhere.
  bool set_endpoint(wg::PeerId peer, const Endpoint& endpoint) noexcept;
  /// A keepalive at once, if the peer has a persistent one, and then at its interval again.
  void resume_keepalive(wg::PeerId peer, Instant now) noexcept;
  /// Asks for a handshake with a peer that has no session. One without an endpoint is looked for at
  /// `endpoint`, from the address of ours that it spoke to there. False: there is nothing to ask.
  bool greet(wg::PeerId peer, const Endpoint& endpoint, const LocalAddress& local,
             Instant now) noexcept;
  void set_persistent_keepalive(wg::PeerId peer, Duration interval, Instant now) noexcept;
  wg::AllowedIps& allowed_ips() noexcept { return peers_.allowed_ips(); }
  /// Our own static key, without which no handshake message passes. Empty: none.
  void set_public_key(const std::optional<crypto::PublicKey>& own) noexcept {
    gate_.set_public_key(own);
  }
  /// Wipes every keypair (the private key has changed).
  void clear_sessions(Instant now) noexcept;

  /// Peers with slots from `first` on, at most `count` slots are looked at.
  std::vector<LanePeerSnapshot> snapshot(std::uint32_t first, std::uint32_t count);
  std::size_t slots() const noexcept { return peers_.slots(); }
  /// Any context may read these.
  const LaneCounters& counters() const noexcept { return counters_; }

  std::size_t poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override { return timers_.next_deadline(); }
  std::span<const int> wait_fds() const noexcept override { return wait_fds_; }
  bool arm() noexcept override;

 private:
  /// What a turn takes from.
  enum class Source : std::uint8_t { events, udp, syn_answers, tun, timers };
  static constexpr std::size_t sources = 5;

  void take_from(Source source) noexcept;
  void retry_unsent() noexcept;
  void take_handshake_events(TurnBudget& turn) noexcept;
  void take_all_handshake_events() noexcept;
  void handle(HandshakeEvent& event) noexcept;
  void send_initiation(LanePeer& peer, ByteView message) noexcept;
  void establish(LanePeer& peer, HandshakeEvent& event) noexcept;
  void receive() noexcept;
  void receive_batch() noexcept;
  void transmit() noexcept;
  void transmit_train() noexcept;
  void transmit_packet(const Train& train, const GsoView& packet, std::size_t first,
                       std::size_t count) noexcept;
  void transmit_segments(LanePeer& peer, const GsoView& packet, std::size_t first,
                         std::size_t count) noexcept;
  void take_syn_answers() noexcept;
  void pass_syn(ByteSpan packet) noexcept;
  void refuse_syn(ByteView packet) noexcept;
  void stage(LanePeer& peer, const GsoView& packet, std::size_t segment) noexcept;
  void flush_staged(LanePeer& peer) noexcept;
  void flush() noexcept;
  void drop_staged(LanePeer& peer, Drop reason) noexcept;
  void drop_overdue(LanePeer& peer) noexcept;
  void act(LanePeer& peer, const wg::SessionActions& actions) noexcept;
  void clear_session(LanePeer& peer) noexcept;
  void release(const wg::ReleasedKeypairs& released) noexcept;
  void request(HandshakeRequest::Kind kind, wg::PeerId peer, std::uint32_t index = 0) noexcept;
  void want_handshake(LanePeer& peer) noexcept;
  void keepalive(LanePeer& peer) noexcept;
  void rearm(LanePeer& peer) noexcept;
  void run_timers() noexcept;

  ExecContext& handshakes_;
  HandshakeChannel& channel_;
  HandshakeGate gate_;
  Port& tun_;
  LaneCounters counters_;
  PeerTable peers_;
  StagingPool staging_;
  TimerWheel timers_;
  HeldSyns syns_;
  ReceivePipeline receive_;
  TransmitPipeline transmit_;
  IcmpReplies icmp_;
  std::array<Port*, 4> udp_ports_{};  // those being closed last
  std::size_t next_udp_port_ = 0;
  PacketBatch udp_batch_, tun_batch_;
  BatchPlace udp_place_, tun_place_;      // what lies behind waits for the next turn
  TurnBudget turn_{0};                    // of the poll under way
  std::size_t first_source_ = 0;          // of the next poll
  HandshakeEvent event_;                  // kept, so that popping does not build one each time
  std::vector<HandshakeRequest> unsent_;  // found the ring full, and must not be lost
  std::vector<int> wait_fds_;
  Instant now_;  // of the poll under way
  bool wake_handshakes_ = false;
};

}  // namespace tw::lane
