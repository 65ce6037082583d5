// One relayed connection: the front, which connected to us, and the back, which we connect. It
// knows its phases and how it may end; who is served and which way has been decided by its owner.
//
//   header ──▶ connecting ──▶ relaying ──▶ finished
//   (legs only)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "base/unique_fd.h"
#include "relay/direction.h"
#include "relay/leg_source.h"
#include "relay/relay.h"
#include "relay/settings.h"
#include "relay/splice_pipe.h"

namespace tw::relay {

enum class Side : std::uint8_t { front, back };

/// What a connection needs from its owner after a turn.
enum class Step : std::uint8_t {
  waiting,   ///< an event on one of its sockets, or its deadline
  more,      ///< another turn: the quantum is spent
  no_pipe,   ///< another turn when there may be a pipe
  header,    ///< a decision: its PROXY header has come (see client(), target(), is_local())
  finished,  ///< to be closed; see outcome()
};

class Connection {
 public:
  enum class Phase : std::uint8_t { header, connecting, relaying, finished };

  /// A leg from another PoP: first its PROXY header is read.
  static Connection leg(UniqueFd front, Endpoint peer, Instant now) noexcept;
  /// A client whose target is known. go_onward() comes next.
  static Connection client(UniqueFd front, Endpoint peer, Endpoint target, Instant now) noexcept;

  /// The onward half has been begun. `pop` is the name of the PoP it goes to; empty: directly.
  void go_onward(Leg leg, std::string pop, Instant now);

  /// Takes down what epoll reported; edge-triggered, so nothing is reported twice.
  void on_events(Side side, std::uint32_t epoll_events) noexcept;
  /// Does what can be done without blocking, about `quantum` bytes a direction.
  Step advance(Instant now, PipePool& pipes, std::size_t quantum) noexcept;

  /// When expire() is due, unless something happens before.
  Instant deadline(const RelayLimits& limits) const noexcept;
  /// Ends it the way its phase says.
  /// Ends it, unless it is half-closed and bytes are still on their way to a slow reader: then it
  /// goes on (phase unchanged), and deadline() is later.
  void expire(Instant now) noexcept;
  void finish(Outcome outcome, int os_errno = 0) noexcept;
  /// Closes both sockets: in order if the outcome is `closed`, else with a reset.
  void close() noexcept;

  Phase phase() const noexcept { return phase_; }
  bool is_finished() const noexcept { return phase_ == Phase::finished; }
  Outcome outcome() const noexcept { return outcome_; }
  int os_errno() const noexcept { return os_errno_; }
  int socket(Side side) const noexcept { return side == Side::front ? front_.get() : back_.get(); }
  const Endpoint& peer() const noexcept { return peer_; }      ///< who connected to us
  const Endpoint& client() const noexcept { return client_; }  ///< for whom
  const Endpoint& target() const noexcept { return target_; }
  const std::string& pop() const noexcept { return pop_; }
  bool is_leg() const noexcept { return is_leg_; }
  bool is_local() const noexcept { return is_local_; }       ///< a LOCAL header: a health check
  bool is_connected() const noexcept { return connected_; }  ///< the onward half, once
  Instant begun() const noexcept { return begun_; }
  std::uint64_t bytes_upstream() const noexcept { return up_.bytes(); }
  std::uint64_t bytes_downstream() const noexcept { return down_.bytes(); }

 private:
  Connection(UniqueFd front, Endpoint peer, Phase phase, Instant now) noexcept;
  Step read_header() noexcept;
  Step finish_connect(Instant now) noexcept;
  Step relay(Instant now, PipePool& pipes, std::size_t quantum) noexcept;
  Step end(Outcome outcome, int os_errno = 0) noexcept;
  bool still_delivering() noexcept;

  UniqueFd front_, back_;
  Endpoint peer_, client_, target_;
  std::string pop_;
  Direction up_, down_;
  Instant begun_, last_activity_;
  std::uint64_t undelivered_ = 0;  // bytes in both send queues when last looked at
  int os_errno_ = 0;
  Phase phase_;
  Outcome outcome_ = Outcome::shutdown;
  bool is_leg_ = false, is_local_ = false;
  bool front_failed_ = false, back_failed_ = false;
  bool front_ended_ = false;  // nothing will follow what has been received
  bool back_writable_ = false, connected_ = false;
};

}  // namespace tw::relay
