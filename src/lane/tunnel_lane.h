// One worker's share of a tunnel: its peers, its sockets, its TUN queue, and the two pipelines
// between them. Run to completion: what a poll handles has left, or is counted, when it returns.
// One budget holds for all sources that a poll takes from; the source that its end has cut short of
// something is first in the next poll, so that none starves beside another.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "crypto/aead_engine.h"
#include "exec/context.h"
#include "exec/turn.h"
#include "lane/counters.h"
#include "lane/handshake/handshake_channel.h"
#include "lane/handshake/handshake_events.h"
#include "lane/handshake/handshake_gate.h"
#include "lane/handshake/handshake_requests.h"
#include "lane/peers/held_syns.h"
#include "lane/peers/peer_sessions.h"
#include "lane/peers/peer_table.h"
#include "lane/peers/syn_answers_source.h"
#include "lane/receive/wire_source.h"
#include "lane/strangers/strangers.h"
#include "lane/transmit/transmit_pipeline.h"
#include "lane/transmit/tun_source.h"
#include "port/port.h"

namespace tw::lane {

struct TunnelLaneLimits {
  PeerSessionsLimits sessions{};
  std::size_t receive_trains = 128;  ///< handled together, each with room for a full UDP_GRO train
  std::size_t tun_packets = 128;     ///< the same for what comes from the TUN
};

/// The parts that a lane runs on. All must outlive it.
struct TunnelLaneParts {
  ExecContext& handshakes;  ///< woken when there is a request
  HandshakeChannel& channel;
  crypto::AeadEngine& engine;
  Port& tun;
  const ReceiverIndex& codec;
  Strangers& strangers;  ///< the ways to the other lanes, complete
  KnownSources& known;
  const SteeringTable& steering;
  ContextId self;
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
  /// `draining`: sockets being closed, still read, never written.
  void set_udp_ports(UdpPorts ports, UdpPorts draining = {}) noexcept;
  /// Sends a keepalive to every peer with a session, so that all learn at once where we are now.
  /// Returns the number of those peers.
  std::size_t announce(Instant now) noexcept;
  void set_mtu(std::uint32_t mtu) noexcept { transmit_.set_mtu(mtu); }
  void set_dscp(DscpPolicy policy) noexcept { transmit_.set_dscp(policy); }
  /// SYNs of the peers' TCP connections are reported to `reports` before they cross the TUN; null,
  /// as to begin with: nowhere. Each one that is held is answered on `answers`. The rings must
  /// outlive the lane, or be taken away first; what is held then is dropped. `reporter`: this
  /// lane's number among those that report to one relay.
  void report_syns(WakingRing<SynReport>* reports, ContextRing<SynAnswer>* answers = nullptr,
                   std::size_t reporter = 0) noexcept;
  /// SYNs wait for those answers from now on, or do not, as to begin with.
  void hold_syns(bool hold) { syns_.hold(hold); }
  /// Limits how long transport data may have waited in a socket; zero, as to begin with: any time.
  void set_queue_limit(Duration limit) noexcept { wire_.pipeline().set_queue_limit(limit); }

  /// The handshake context must know the peer first, and on removal must have forgotten it first.
  void add_peer(wg::PeerId peer) noexcept;
  void remove_peer(wg::PeerId peer, Instant now) noexcept;
  /// Returns true if the peer had none before: what was due to it meanwhile went nowhere.
  bool set_endpoint(wg::PeerId peer, const Endpoint& endpoint) noexcept;
  /// Sends a keepalive at once, if the peer has a persistent one, and then at its interval again.
  void resume_keepalive(wg::PeerId peer, Instant now) noexcept;
  /// Asks for a handshake with a peer that has no session. One without an endpoint is looked for at
  /// `endpoint`, from the address of ours that it spoke to there. Returns false if there is nothing
  /// to ask.
  bool greet(wg::PeerId peer, const Endpoint& endpoint, const LocalAddress& local,
             Instant now) noexcept;
  void set_persistent_keepalive(wg::PeerId peer, Duration interval, Instant now) noexcept;
  /// All lanes have the prefixes of all peers, so that each knows whose a packet from the host is.
  /// A peer's own lane has the peer first, and loses all with it.
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

  Work poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override { return sessions_.next_deadline(); }
  std::span<const int> wait_fds() const noexcept override { return wait_fds_; }
  bool arm() noexcept override;

 private:
  enum class Source : std::uint8_t { events, udp, syn_answers, tun, timers };
  static constexpr std::size_t sources = 5;

  LanePeer& known(wg::PeerId peer) noexcept;
  void take_from(Source source, Turn& turn) noexcept;

  HandshakeGate gate_;
  HandshakeRequests requests_;
  Port& tun_;
  LaneCounters counters_;
  PeerTable peers_;
  HeldSyns syns_;
  TransmitPipeline transmit_;
  PeerSessions sessions_;
  HandshakeEvents events_;
  WireSource wire_;
  TunSource host_;
  SynAnswersSource syn_answers_;
  std::size_t first_source_ = 0;  // of the next poll
  std::vector<int> wait_fds_;
};

}  // namespace tw::lane
