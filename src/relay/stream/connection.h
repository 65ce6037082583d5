// One relayed connection: the front, which connected to us, and the back, which we connect. It
// knows its phases and how it may end; who is served and which way has been decided by its owner.
//
//   header ──▶ connecting ──▶ relaying ──▶ finished
//   (legs only)
//
// A back that is a leg is on probation until its PoP has acknowledged something: so long the client
// can be given another one (Step::stale, Step::silent) without noticing.
//
// Legs prove whose they are (pop_proof.h): a front that does not is refused, and a back to a PoP
// that has not proven itself lately is `greeting` before its header goes; nothing of a back reaches
// the front before its PoP has proven itself.
//
// With early SYN the back comes first, and the front claims it when the client's handshake is
// complete. Until then nothing is read from either; if the back fails meanwhile, that is kept for
// the client to meet. If the client's SYN is held, its owner lets it go when the server has
// accepted the connection, and refuses it if it ends before.
//
// A leg may be asked to say when the far server has accepted (leg_header.h): then it is `asking`
// between `connecting` and `relaying`, and nothing else is read from it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/time.h"
#include "base/unique_fd.h"
#include "relay/legs/leg_header.h"
#include "relay/legs/leg_source.h"
#include "relay/log/stage_times.h"
#include "relay/outcome.h"
#include "relay/pacing/client_start.h"
#include "relay/pacing/leg_start.h"
#include "relay/pops/pop_id.h"
#include "relay/proof/pop_proof.h"
#include "relay/settings.h"
#include "relay/stream/direction.h"
#include "relay/stream/on_demand.h"
#include "relay/stream/receive_budget.h"
#include "relay/stream/source_window.h"
#include "relay/stream/splice_pipe.h"
#include "wire/message/syn_report.h"

namespace tw::relay {

enum class Side : std::uint8_t { front, back };

/// A connection's need after a turn, which its owner sees to.
enum class Step : std::uint8_t {
  waiting,   ///< an event on one of its sockets, or its deadline
  more,      ///< another turn: the quantum is spent
  gather,    ///< another turn a little later: a transfer comes in small pieces
  no_pipe,   ///< another turn when there may be a pipe
  header,    ///< a decision: its PROXY header has come (see client() and target())
  stale,     ///< another leg, if there is one: this one failed before its PoP has heard of us
  silent,    ///< the same; but the leg may yet answer, if there is no other
  finished,  ///< to be closed; see outcome()
};

/// Why a connection, or its back, has ended. `os_errno` is the socket's; 0: none was its reason.
struct Ending {
  Outcome outcome = Outcome::shutdown;
  int os_errno = 0;
};

/// The events of one turn, and what is needed next.
struct Turn {
  Step step = Step::waiting;
  bool connected = false;  ///< the back has been connected
  bool answered =
      false;  ///< the back's PoP has shown that it lives: no other leg will be asked for
  bool verified = false;  ///< the server has accepted a connection whose SYN is held: let_go()
  std::uint64_t bytes_upstream = 0, bytes_downstream = 0;  ///< taken from the source for the sink
};

/// The other way that is there for a connection whose leg was lost; see Connection::retry().
enum class OtherWay : std::uint8_t {
  none,
  same_pop,   ///< another leg to the same PoP
  elsewhere,  ///< by another PoP, or directly
};

class Connection {
 public:
  /// Legs that one connection may try.
  static constexpr std::uint8_t most_attempts = 5;
  /// When keep_watch() is due, after go_directly().
  static constexpr Duration worth_noticing = 1s;
  enum class Phase : std::uint8_t {
    header,
    connecting,
    greeting,
    asking,
    relaying,
    doomed,
    finished
  };

  /// A leg from another PoP: first its PROXY header is read. `proof` is that PoP's.
  static Connection leg(UniqueFd front, Endpoint peer, std::shared_ptr<PopProof> proof,
                        Instant now) noexcept;
  /// A client whose target is known. go_onward() comes next.
  static Connection client(UniqueFd front, Endpoint peer, Endpoint target, Instant now) noexcept;
  /// The client's SYN carried data (RFC 7413).
  void set_fast_open() noexcept { fast_open_ = true; }
  /// Its sources' memory comes out of `budget`, which must outlive it; a leg never has more than
  /// `leg_memory_most`. `announcer` tells the other side of a leg that it has been opened; may be
  /// null. Before anything else happens to it. Without, all sockets stay as they are.
  void share(ReceiveBudget& budget, std::uint32_t leg_memory_most, Resumer* announcer) noexcept;
  /// What the onward half is to be asked for with, at this moment.
  LegRequest request() const noexcept;

  /// A client whose SYN has been seen: claim() follows, or the deadline. go_onward() comes next.
  static Connection half(Endpoint client, Endpoint target, Instant claim_by, Instant now) noexcept;

  /// The address of this half()'s client has never completed a handshake: it may be made up.
  void set_unproven() noexcept { is_unproven_ = true; }
  bool is_unproven() const noexcept { return is_unproven_; }

  /// A SYN that is held back until the server has answered: SynReport's number and ISN.
  struct HeldSyn {
    std::uint32_t number = SynReport::not_held;
    std::uint32_t sequence = 0;
  };
  /// The half()'s SYN is held; it fails if there is no answer by then.
  void hold(HeldSyn syn, Instant answer_by) noexcept;
  /// Another one of the same connection, in its place.
  void replace_held(HeldSyn syn) noexcept { held_ = syn; }
  /// It is held no longer; returns its number. The client has until then to claim its half.
  std::uint32_t let_go(Instant claim_by) noexcept;
  const std::optional<HeldSyn>& held() const noexcept { return held_; }
  /// The target's server has accepted the connection, as far as is known: a leg that was not asked
  /// will never tell.
  bool is_verified() const noexcept { return phase_ == Phase::relaying; }

  /// The accepted half of a half().
  void claim(UniqueFd front, Instant now) noexcept;

  /// The leg on that side starts like this. When its target is known, before its first byte.
  void start_leg(Side side, LegStart start, Instant now);
  /// The front is a client's: how it is sent to begins like this. When it has been claimed, before
  /// its first byte.
  void start_client(ClientStart start) noexcept { client_start_.emplace(std::move(start)); }
  /// Before close(): what the client and the legs were delivered is learned.
  void learn_paths(Instant now) noexcept;
  /// Does what is due while bytes flow: how legs start, how much sources may hold, and that a
  /// connection that lasts notices the death of a server that it has gone to directly. (Most are
  /// over before that, and spare the five system calls.) Before expire(); advance() does the first
  /// two itself.
  void tend(Instant now, const RelayLimits& limits) noexcept;

  /// The onward half, by whichever ways it is tried, has until then to be heard by a server or by
  /// a PoP; later calls change nothing. Before the first of go_directly() and go_onward().
  void connect_by(Instant end) noexcept { connect_by_ = std::min(connect_by_, end); }
  /// The onward half has been begun, directly to the target.
  void go_directly(Leg leg, Instant now);
  /// The same by another PoP. One that has acknowledged nothing after `patience` is
  /// Step::silent.
  void go_onward(Leg leg, PopId pop, Duration patience, Instant now);

  /// Takes down what epoll reported; edge-triggered, so nothing is reported twice.
  void on_events(Side side, std::uint32_t epoll_events) noexcept;
  /// Does what can be done without blocking, about `quantum` bytes a direction.
  Turn advance(Instant now, PipePool& pipes, std::size_t quantum) noexcept;

  /// When expire() is due, unless something happens before.
  Instant deadline(const RelayLimits& limits) const noexcept;
  /// Ends it the way its phase says (finished), unless bytes are still on their way to a slow
  /// reader, or it was only its leg's time that had come (waiting, silent): then deadline() is
  /// later.
  Step expire(Instant now) noexcept;
  void finish(Outcome outcome, int os_errno = 0) noexcept;
  /// After Step::stale and Step::silent: true if the PoP itself is to be doubted. False: only that
  /// leg; a fresh one may live.
  bool blames_pop() const noexcept { return phase_ != Phase::connecting || !(warm_ || ask_again_); }
  /// The same: true if the connection goes that way. Then go_onward() or go_directly() comes next;
  /// else give_up_back(), unless the leg is only silent.
  bool retry(OtherWay way) const noexcept;
  /// After Step::stale: there is no other back. Finished, with what the back failed of; but what
  /// the client is not there yet to see waits for it.
  Step give_up_back() noexcept;
  /// The same where no back could even be begun, for this reason.
  Step give_up_back(Ending reason) noexcept;
  /// Closes both sockets: in order if the outcome is `closed`, else with a reset.
  void close() noexcept;

  Phase phase() const noexcept { return phase_; }
  bool is_finished() const noexcept { return phase_ == Phase::finished; }
  Outcome outcome() const noexcept { return outcome_; }
  int os_errno() const noexcept { return os_errno_; }
  int socket(Side side) const noexcept { return side == Side::front ? front_.get() : back_.get(); }
  const Endpoint& peer() const noexcept { return peer_; }  ///< who connected to us
  /// False: a leg whose header has not come. (That of a health check has none.)
  bool has_target() const noexcept { return has_target_; }
  const Endpoint& client() const noexcept { return client_; }  ///< with has_target()
  const Endpoint& target() const noexcept { return target_; }  ///< with has_target()
  /// The PoP that the back is a leg to; empty: it goes directly, or has not been begun.
  std::optional<PopId> pop() const noexcept { return pop_; }
  bool is_leg() const noexcept { return is_leg_; }
  /// A warm leg of the other PoP's.
  bool is_waiting_leg() const noexcept { return phase_ == Phase::header && !header_begun_; }
  bool is_claimed() const noexcept { return front_.get() >= 0; }
  bool is_connected() const noexcept { return connected_; }  ///< the onward half, once
  bool was_warm() const noexcept { return warm_; }           ///< the back is a leg from the pool
  /// The PoP whose a leg must prove to be; and why it is not known to be that PoP's, so far.
  const std::shared_ptr<PopProof>& front_proof() const noexcept { return front_proof_; }
  LegFault fault() const noexcept { return fault_; }
  bool has_said_hello() const noexcept { return bond_.has_value(); }
  bool is_on_probation() const noexcept { return on_probation_; }
  /// Nobody has been told anything that another back would not tell as well.
  bool can_go_again() const noexcept {
    return on_probation_ && up_.can_restart() && attempts_ < most_attempts;
  }
  /// Another PoP's or one to it, and connected.
  bool has_leg(Side side) const noexcept {
    if (side == Side::front) return is_leg_ && front_.get() >= 0;
    return pop_ && (phase_ == Phase::asking || phase_ == Phase::relaying);
  }
  /// When bytes last came by that side's socket, or it was begun.
  Instant heard(Side side) const noexcept { return heard_[std::to_underlying(side)]; }
  /// Asks a leg's other side whether it still has it; see leg_probe.h.
  void ask(Side side) noexcept;
  /// It was asked, and has not said a word since.
  bool is_unheard(Side side) const noexcept;
  /// PoPs that the connection has come through, this one included.
  std::uint8_t hops() const noexcept { return hops_; }
  Via via() const noexcept;
  bool has_gone_onward() const noexcept { return gone_onward_; }
  bool is_early() const noexcept { return early_; }  ///< begun at the client's SYN
  ConnectionTimes& times() noexcept { return times_; }
  const ConnectionTimes& times() const noexcept { return times_; }
  Instant begun() const noexcept { return times_.begun(); }
  std::uint64_t bytes_upstream() const noexcept { return up_.bytes(); }
  std::uint64_t bytes_downstream() const noexcept { return down_.bytes(); }

 private:
  Connection(UniqueFd front, Endpoint peer, Phase phase, Instant now) noexcept;
  Step read_header(Instant now) noexcept;
  Step take_hello(const LegHeader& hello, Instant now) noexcept;
  Step take_header(const LegHeader& header, Instant now) noexcept;
  // The back's PoP has to prove itself: connection_proof.cc.
  Step prove_back(Instant now, Turn& turn) noexcept;
  Step take_welcome(Instant now, Turn& turn) noexcept;
  Step take_proof(Instant now, Turn& turn) noexcept;
  bool check_proof(Instant now, Step& lost, Turn& turn) noexcept;
  bool may_wait() const noexcept;
  Step after_connect(Instant now, Turn& turn) noexcept;
  Step take_step(Instant now, PipePool& pipes, std::size_t quantum, Turn& turn) noexcept;
  Step finish_connect(Instant now, Turn& turn) noexcept;
  Step take_answer(Instant now, Turn& turn) noexcept;
  Step begin_relaying(Instant now) noexcept;
  Step relay(Instant now, PipePool& pipes, std::size_t quantum, Turn& turn) noexcept;
  Step end(Outcome outcome, int os_errno = 0) noexcept;
  void begin_back(Leg leg, std::optional<PopId> pop, Instant now);
  Step lose_back(Outcome outcome, int os_errno) noexcept;
  Step review_leg() noexcept;
  Step review_connect() noexcept;
  bool is_late(Instant now) const noexcept { return now >= connect_by_ && phase_ != Phase::doomed; }
  bool pass_probation() noexcept;
  bool pass_probation(Turn& turn) noexcept;
  void watch_starts(Instant now) noexcept;
  /// The back's PoP has acknowledged something since the leg was taken.
  bool has_heard_us() const noexcept;
  Instant end_of_silence(const RelayLimits& limits) const noexcept;
  bool still_delivering() noexcept;
  // The limits of what sources may hold: connection_windows.cc.
  void watch_windows(Instant now) noexcept;
  void await_client() noexcept;
  bool client_is_here() const noexcept;
  void meet_client(Instant now) noexcept;
  Principal sharer() const noexcept;
  void begin_back_window(const Leg& leg) noexcept;
  void open_windows(Instant now) noexcept;
  Instant window_deadline() const noexcept;

  UniqueFd front_, back_;
  Endpoint peer_, client_, target_;
  std::optional<PopId> pop_;
  Direction up_, down_;
  OnDemand<LegStart> front_start_, back_start_;
  OnDemand<ClientStart> client_start_;
  ReceiveBudget* budget_ = nullptr;  // null: windows are left alone
  Resumer* announcer_ = nullptr;
  OnDemand<SourceWindow> front_window_, back_window_;
  std::optional<HeldSyn> held_;
  // The proof that the back's PoP still has to give.
  struct AwaitedProof {
    PopProof::Said said;
    AnswerProofReader answer{};
  };
  OnDemand<AwaitedProof> awaited_;
  std::shared_ptr<PopProof> front_proof_, back_proof_;
  std::optional<crypto::Mac> bond_;  // the front has said hello, and this was the answer
  ConnectionTimes times_;
  Instant last_activity_;
  std::array<Instant, 2> heard_{};                  // by Side
  std::array<std::uint32_t, 2> segments_before_{};  // the question; 0: it was not asked
  Instant claim_by_ = Instant::max();
  Instant answer_by_ = Instant::max();   // the leg's PoP
  Instant connect_by_ = Instant::max();  // whoever is asked; max: it has been heard
  Instant notice_death_from_ = Instant::max();
  Instant announce_at_ = Instant::max();
  std::uint64_t told_upstream_ = 0;  // bytes that had left when the back's window was opened
  std::uint32_t leg_memory_most_ = 0;
  std::uint32_t bound_from_ = 0;        // Leg::bound_from, until the client is here
  std::uint64_t undelivered_ = 0;       // bytes in both send queues when last looked at
  std::uint64_t delivered_before_ = 0;  // by the back, when it was taken
  int os_errno_ = 0;
  std::uint32_t unskipped_ = 0;  // of a LOCAL header
  LegFault fault_ = LegFault::missing;
  Phase phase_;
  Outcome outcome_ = Outcome::shutdown;
  bool is_leg_ = false, has_target_ = false, is_unproven_ = false;
  bool front_failed_ = false, back_failed_ = false;
  bool front_ended_ = false;  // nothing will follow what has been received
  bool back_writable_ = false, connected_ = false;
  bool header_begun_ = false;  // its first byte is here
  bool fast_open_ = false;
  bool awaits_client_ = false;  // nobody knows whether it is there; only if windows are shared
  bool early_ = false, gone_onward_ = false;
  bool warm_ = false;
  bool on_probation_ = false;
  bool asked_ = false;    // the front is a leg whose PoP waits for the server's answer
  bool told_ = false;     // and has been told
  bool answers_ = false;  // the back is a leg that will tell us
  bool ask_again_ = false;
  std::uint8_t hops_ = 1;
  std::uint8_t attempts_ = 0;
};

}  // namespace tw::relay
