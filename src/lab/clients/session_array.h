// N WireGuard sessions with one target, on a few UDP sockets and one thread: keys, handshakes with
// retries and cookies, keypairs, keepalives and rekeys as the protocol demands. What is sent
// through them is the caller's (load_sender.h, bystander.h).
//
// Receiver indices are the session's number and a generation, so that a datagram finds its session
// without a table.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/counter.h"
#include "base/latency_histogram.h"
#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "crypto/aead_engine.h"
#include "lab/clients/initiator.h"
#include "port/udp/udp_port.h"
#include "wg/session.h"

namespace tw::lab {

struct SessionSettings {
  Endpoint target{};
  crypto::PublicKey target_key{};
  std::uint64_t seed = 1;          ///< of the clients' keys (keys.h)
  std::uint32_t first_client = 0;  ///< number of the first session's client
  std::uint32_t sessions = 1;
  std::uint32_t sockets = 1;  ///< with a source port each; at most `sessions`
};

/// One writer; may be read while it runs.
struct HandshakeCounters {
  Counter initiations;  ///< sent, retries included
  Counter retries;
  Counter completed;
  Counter cookies;   ///< replies that were kept
  Counter refused;   ///< handshake messages of the target that we did not take
  Counter gave_up;   ///< no answer for REKEY_ATTEMPT_TIME
  Counter unopened;  ///< data that did not authenticate, or came twice
  Counter unsent;    ///< handshake messages and keepalives that our socket refused
};

class SessionArray {
 public:
  /// Takes an inner packet that came through the tunnel of a session; valid during the call.
  using Deliver = std::function<void(std::uint32_t session, ByteView packet)>;

  /// A target drops initiations of one peer that come within 20 ms, and the next would follow after
  /// REKEY_TIMEOUT only: so much later it is safe, even if one of them has waited on its way.
  static constexpr Duration restart_interval = 2 * wg::handshake_min_interval;

  /// Opens the sockets and derives the keys. Cost: two curve operations a session.
  static Result<std::unique_ptr<SessionArray>> open(const SessionSettings& settings,
                                                    const Clock& clock, Deliver deliver = {});
  ~SessionArray();

  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(sessions_.size()); }
  bool is_established(std::uint32_t session, Instant now) const noexcept {
    return sessions_[session].has_usable_keypair(now);
  }
  std::uint32_t established(Instant now) const noexcept;

  /// Puts the session into the queue of those that want a handshake. Once is enough.
  void want_handshake(std::uint32_t session) noexcept;
  /// Begins handshakes from that queue while fewer than `outstanding` are under way, none sooner
  /// than restart_interval after the same session's last, and at most `most`: each costs two curve
  /// operations, in which nothing else happens.
  void begin_handshakes(std::uint32_t outstanding, std::uint32_t most) noexcept;
  /// Returns true if begin_handshakes() would begin one.
  bool can_begin(std::uint32_t outstanding) const noexcept;
  /// Whoever has completed a handshake wants the next at once.
  void set_endless_handshakes(bool endless) noexcept { endless_ = endless; }

  /// Reads what has come, repeats initiations that were not answered, and runs the sessions'
  /// timers, a bounded number of each. Never blocks.
  void turn(Instant now) noexcept;
  /// Sleeps until something comes, or for `timeout`.
  void wait(Duration timeout) noexcept;
  /// Readable when something has come.
  int wait_fd() const noexcept { return epoll_.get(); }

  /// For one packet of a session; see wg/session.h. Without a keypair a handshake is asked for.
  std::optional<wg::Session::SealSlot> next_seal(std::uint32_t session, Instant now) noexcept;
  /// After a packet of data, or several at once, went out.
  void sent(std::uint32_t session, Instant now) noexcept;

  std::uint32_t socket_of(std::uint32_t session) const noexcept {
    return session % static_cast<std::uint32_t>(ports_.size());
  }
  UdpPort& port(std::uint32_t socket) noexcept { return *ports_[socket]; }
  const Endpoint& target() const noexcept { return target_; }

  const HandshakeCounters& counters() const noexcept { return counters_; }
  /// From an initiation to its response; of completed ones.
  const LatencyHistogram& handshake_times() const noexcept { return times_; }
  void clear_handshake_times() { times_ = {}; }
  /// An ICMP error has come for one of the sockets: nothing listens there, or no way leads there.
  bool was_refused() const noexcept;

 private:
  SessionArray(const SessionSettings& settings, const Clock& clock, Deliver deliver);
  Result<void> open_sockets(const SessionSettings& settings);

  void receive(UdpPort& port, Instant now) noexcept;
  void take_datagram(ByteSpan datagram, Instant now) noexcept;
  void take_response(const WgResponseView& message) noexcept;
  void take_cookie(const WgCookieReplyView& message, Instant now) noexcept;
  void take_data(ByteSpan datagram, Instant now) noexcept;
  std::optional<std::uint32_t> session_of(std::uint32_t index) const noexcept;

  void initiate(std::uint32_t session) noexcept;
  void end_handshake(std::uint32_t session) noexcept;
  void repeat_handshakes(Instant now) noexcept;
  void run_timers(Instant now) noexcept;
  void act(std::uint32_t session, const wg::SessionActions& actions, Instant now) noexcept;
  void send_keepalive(std::uint32_t session, Instant now) noexcept;
  void send_datagram(std::uint32_t session, ByteSpan datagram) noexcept;

  const Clock& clock_;
  Deliver deliver_;
  Endpoint target_;
  HandshakeTarget handshake_target_;
  std::unique_ptr<crypto::AeadEngine> engine_;
  UniqueFd epoll_;
  std::vector<std::unique_ptr<UdpPort>> ports_;
  PacketBatch batch_;

  // One entry a session each. What a packet touches is apart from what a handshake touches.
  std::vector<wg::Session> sessions_;
  std::vector<Initiator> initiators_;
  std::vector<std::uint8_t> generations_;
  std::vector<Instant> attempts_;  // when the handshake under way was first asked for
  std::vector<bool> is_wanted_;

  std::deque<std::uint32_t> wanted_;                       // at most one entry a session
  std::deque<std::pair<Instant, std::uint32_t>> retries_;  // in the order of their instants
  std::uint32_t outstanding_ = 0;
  std::uint32_t timer_turn_ = 0;  // the session to look at next for its timers
  bool endless_ = false;
  wg::ReleasedKeypairs released_;
  HandshakeCounters counters_;
  LatencyHistogram times_;
};

}  // namespace tw::lab
