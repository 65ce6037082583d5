// One relayed connection: the front, which connected to us, and the back, which we connect. It does
// with their sockets what its Journey decides; who is served and which way has been decided by its
// owner. The phases are told in phases.h.
//
// Legs prove whose they are (pop_proof.h): a front that does not is refused, and a back to a PoP
// that has not proven itself lately is sent a hello before its header; nothing of a back reaches
// the front before its PoP has proven itself.
//
// With early SYN the back comes first, and the front claims it when the client's handshake is
// complete. Until then nothing is read from either; if the back fails meanwhile, that is kept for
// the client to meet. If the client's SYN is held, its owner lets it go when the server has
// accepted the connection, and refuses it if it ends before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/time.h"
#include "base/unique_fd.h"
#include "relay/journey/journey.h"
#include "relay/journey/step.h"
#include "relay/legs/leg_header.h"
#include "relay/legs/leg_source.h"
#include "relay/log/stage_times.h"
#include "relay/pops/pop_id.h"
#include "relay/settings.h"
#include "relay/stream/connection_starts.h"
#include "relay/stream/connection_windows.h"
#include "relay/stream/direction.h"
#include "relay/stream/gathering.h"
#include "relay/stream/liveness.h"
#include "relay/stream/socket_pair.h"
#include "relay/stream/splice_pipe.h"

namespace tw::relay {

class Connection {
 public:
  /// A leg from another PoP: first its PROXY header is read. `proof` is that PoP's.
  static Connection leg(UniqueFd front, Endpoint peer, std::shared_ptr<PopProof> proof,
                        Instant now) noexcept;
  /// A client whose target is known. go_onward() comes next.
  static Connection client(UniqueFd front, Endpoint peer, Endpoint target, Instant now) noexcept;
  /// A client whose SYN has been seen: claim() follows, or the deadline. go_onward() comes next.
  static Connection half(Endpoint client, Endpoint target, Instant claim_by, Instant now) noexcept;

  // ---- Before anything else happens to it

  /// The client's SYN carried data (RFC 7413).
  void set_fast_open() noexcept { fast_open_ = true; }
  /// See ConnectionWindows::share().
  void share(ReceiveBudget& budget, std::uint32_t leg_memory_most, Resumer* announcer) noexcept;

  // ---- The client

  /// Returns whether the client is there, and the SYN that is held for it.
  Claim& claim() noexcept { return journey_.client(); }
  const Claim& claim() const noexcept { return journey_.client(); }
  /// The accepted half of a half(). Finished, if there is a failure that was kept for it.
  void claim(UniqueFd front, Instant now) noexcept;

  // ---- The way

  /// Returns what the onward half is to be asked for with, at this moment.
  LegRequest request() const noexcept;
  /// See Journey::connect_by().
  void connect_by(Instant end) noexcept { journey_.connect_by(end); }
  /// The onward half has been begun, directly to the target.
  void go_directly(Leg leg, Instant now);
  /// The same by another PoP. One that has acknowledged nothing after `patience` is Step::silent.
  void go_onward(Leg leg, PopId pop, Duration patience, Instant now);
  /// Returns the starts of its legs and of its client, to be set.
  ConnectionStarts& starts() noexcept { return starts_; }

  // ---- Its turns

  /// Takes down what epoll reported; edge-triggered, so nothing is reported twice.
  void on_events(Side side, std::uint32_t epoll_events) noexcept;
  /// Does what can be done without blocking, about `quantum` bytes a direction.
  Progress advance(Instant now, PipePool& pipes, std::size_t quantum) noexcept;
  /// Does what is due while bytes flow: how legs start, how much sources may hold, and that a
  /// connection that lasts notices the death of a server that it has gone to directly. Before
  /// expire(); advance() does the first two itself.
  void tend(Instant now, const RelayLimits& limits) noexcept;
  /// When tend() and expire() are due, unless something happens before.
  Instant deadline(const RelayLimits& limits) const noexcept;
  /// See Journey::expire().
  Step expire(Instant now) noexcept;

  // ---- After Step::gather
  Gathering& gathering() noexcept { return gathering_; }
  /// Its time is over: the deaf sides may have bytes.
  void end_gathering() noexcept;

  // ---- After Step::stale and Step::silent

  /// See Journey::blames_pop().
  bool blames_pop() const noexcept { return journey_.blames_pop(); }
  /// True if the connection goes that way. Then go_onward() or go_directly() comes next; else
  /// give_up_back(), unless the leg is only silent.
  bool retry(OtherWay way) const noexcept { return journey_.retry(way, up_.can_restart()); }
  /// After Step::stale: there is no other back. Finished, with what the back failed of; but what
  /// the client is not there yet to see waits for it.
  Step give_up_back() noexcept { return give_up_back(journey_.ending()); }
  /// The same where no back could even be begun, for this reason.
  Step give_up_back(Ending reason) noexcept;

  // ---- Its end

  void finish(Outcome outcome, int os_errno = 0) noexcept { journey_.finish({outcome, os_errno}); }
  /// Before close(): what the client and the legs were delivered is learned.
  void learn_paths(Instant now) noexcept { starts_.learn(now); }
  /// Closes both sockets: in order if the outcome is `closed`, else with a reset.
  void close() noexcept;

  // ---- Facts

  const Journey& journey() const noexcept { return journey_; }
  template <typename Which>
  bool is() const noexcept {
    return journey_.is<Which>();
  }
  Outcome outcome() const noexcept { return journey_.ending().outcome; }
  int os_errno() const noexcept { return journey_.ending().os_errno; }
  int socket(Side side) const noexcept { return sockets_.at(side); }
  const Endpoint& peer() const noexcept { return peer_; }  ///< of the front's socket
  /// False: a leg whose header has not come. (That of a health check has none.)
  bool has_target() const noexcept { return has_target_; }
  const Endpoint& client() const noexcept { return client_; }  ///< with has_target()
  const Endpoint& target() const noexcept { return target_; }  ///< with has_target()
  /// The PoP that the back is a leg to; empty: it goes directly, or has not been begun.
  std::optional<PopId> pop() const noexcept { return pop_; }
  bool is_leg() const noexcept { return journey_.is_from_leg(); }
  /// A warm leg of the other PoP's.
  bool is_waiting_leg() const noexcept;
  /// True of a leg whose header is being read, if it must prove to be of that PoP and may stay.
  bool may_wait_for(const std::shared_ptr<PopProof>& pop) const noexcept;
  bool is_connected() const noexcept { return journey_.attempts().is_connected(); }
  bool is_committed() const noexcept { return journey_.attempts().is_committed(); }
  /// Another PoP's or one to it, and connected.
  bool has_leg(Side side) const noexcept {
    return side == Side::front ? is_leg() && sockets_.front() >= 0 : journey_.has_leg();
  }
  /// When bytes last came by that side's socket, or it was begun.
  Instant heard(Side side) const noexcept { return liveness_.heard(side); }
  /// Asks a leg's other side whether it still has it; see leg_probe.h.
  void ask(Side side) noexcept { liveness_.ask(side, socket(side)); }
  /// It was asked, and has not said a word since.
  bool is_unheard(Side side) const noexcept { return liveness_.is_unheard(side, socket(side)); }
  /// PoPs that the connection has come through, this one included.
  std::uint8_t hops() const noexcept { return hops_; }
  Via via() const noexcept;
  ConnectionTimes& times() noexcept { return times_; }
  const ConnectionTimes& times() const noexcept { return times_; }
  std::uint64_t bytes_upstream() const noexcept { return up_.bytes(); }
  std::uint64_t bytes_downstream() const noexcept { return down_.bytes(); }

 private:
  Connection(Journey journey, UniqueFd front, Endpoint peer, Instant now) noexcept;
  Step take_step(Instant now, PipePool& pipes, std::size_t quantum, Progress& progress) noexcept;
  Step read_header(Instant now) noexcept;
  Step take_hello(const LegHeader& hello, Instant now) noexcept;
  Step take_header(const LegHeader& header, Instant now) noexcept;
  Step finish_connect(Instant now, Progress& progress) noexcept;
  Step ask_for_proof(Instant now, Progress& progress) noexcept;
  Step take_welcome(Instant now, Progress& progress) noexcept;
  std::optional<Step> take_proof(BackProof& proof, Instant now, Progress& progress) noexcept;
  Step go_on(Instant now, Progress& progress) noexcept;
  Step take_answer(Instant now, Progress& progress) noexcept;
  Step begin_relaying() noexcept;
  Step relay(Instant now, PipePool& pipes, std::size_t quantum, Progress& progress) noexcept;
  Flow pump_up(Instant now, PipePool& pipes, std::size_t quantum) noexcept;
  Flow pump_down(Instant now, PipePool& pipes, std::size_t quantum) noexcept;
  Step end(Outcome outcome, int os_errno = 0) noexcept {
    return journey_.finish({outcome, os_errno});
  }
  void begin_back(Leg leg, std::optional<PopId> pop, Duration patience, Instant now);
  Step lose_back(Outcome outcome, int os_errno, bool again = false) noexcept;
  void drop_failed_back() noexcept;
  bool commit(Progress& progress) noexcept;
  bool send_what_was_kept() noexcept;
  ConnectionWindows::Ends window_ends() const noexcept;
  void watch_flows(Instant now) noexcept;

  // The byte by which a leg's PoP is told that the server has accepted (leg_header.h).
  enum class FrontAnswer : std::uint8_t { not_wanted, owed, given };

  Journey journey_;
  SocketPair sockets_;
  Endpoint peer_, client_, target_;
  std::optional<PopId> pop_;
  Direction up_, down_;
  ConnectionStarts starts_;
  ConnectionWindows windows_;
  ConnectionTimes times_;
  Liveness liveness_;
  bool has_target_ = false;
  bool fast_open_ = false;
  bool front_ended_ = false;  // nothing will follow what has been received
  FrontAnswer front_answer_ = FrontAnswer::not_wanted;
  std::uint8_t hops_ = 1;
  Gathering gathering_;
};

}  // namespace tw::relay
