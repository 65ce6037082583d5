// Decides how a relayed connection goes on: which phase follows which, how long each may last,
// whether a leg that was lost is replaced, and how the connection ends. Events go in, a step comes
// out. It knows no socket and no name; Connection has both, and does what the phase says.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "base/time.h"
#include "relay/journey/back_attempts.h"
#include "relay/journey/claim.h"
#include "relay/journey/phases.h"
#include "relay/journey/step.h"
#include "relay/settings.h"

namespace tw::relay {

/// The facts that only the sockets know. Each costs system calls, so that a journey asks for one
/// only where it decides something.
class SocketSigns {
 public:
  virtual ~SocketSigns() = default;
  /// True if the back's PoP has acknowledged something since the leg was taken.
  virtual bool is_heard() const noexcept = 0;
  /// True if the back's handshake is not complete, though its socket may have been written to.
  virtual bool is_connecting() const noexcept = 0;
  /// Returns the bytes in both send queues.
  virtual std::uint64_t undelivered() const noexcept = 0;
};

class Journey {
 public:
  /// After so long a connection that goes to its target directly notices the server's death. Most
  /// are over before that, and spare the five system calls.
  static constexpr Duration worth_noticing = 1s;

  /// A leg of another PoP: its header comes first.
  static Journey of_leg(FrontProof proof, Instant now) noexcept {
    return Journey{ReadingHeader{.proof = std::move(proof)}, Claim::accepted(), true, now};
  }
  /// A client whose target is known. go() comes next.
  static Journey of_client(Instant now) noexcept {
    return Journey{Deciding{}, Claim::accepted(), false, now};
  }
  /// A client whose SYN has been seen: claim() follows, or the deadline. go() comes next.
  static Journey of_syn(Instant claim_by, Instant now) noexcept {
    return Journey{Deciding{}, Claim::awaited(claim_by), false, now};
  }

  template <typename Which>
  bool is() const noexcept {
    return std::holds_alternative<Which>(phase_);
  }
  /// Null in any other phase. Valid until the next event.
  template <typename Which>
  Which* in() noexcept {
    return std::get_if<Which>(&phase_);
  }
  template <typename Which>
  const Which* in() const noexcept {
    return std::get_if<Which>(&phase_);
  }

  // ---- Facts

  bool is_from_leg() const noexcept { return from_leg_; }
  Claim& client() noexcept { return claim_; }
  const Claim& client() const noexcept { return claim_; }
  const BackAttempts& attempts() const noexcept { return attempts_; }
  /// The back is a leg, connected, and not known to be anybody else's.
  bool has_leg() const noexcept { return attempts_.by_leg() && (is<Asking>() || is<Relaying>()); }
  /// The end that is kept for the client, or is to be carried out; also why the last leg was lost.
  Ending ending() const noexcept;
  /// The fault in the proof of a leg of another PoP, while its header is read and if it ended by
  /// it.
  LegFault fault() const noexcept;

  // ---- The front

  /// The header's first octet is here: from now on it has its time, and no longer for each further
  /// octet.
  void begin_header(Instant now) noexcept;
  /// A hello has been answered: the leg may wait for its header.
  void answer_hello(Instant now) noexcept;
  /// The header is whole, and names a target.
  void take_header() noexcept { phase_ = Deciding{}; }
  /// The client's handshake is complete.
  void claim(Instant now) noexcept;

  // ---- The way

  /// The onward half, by whichever ways it is tried, has until then to be heard by a server or by
  /// a PoP; later calls change nothing. Before the first go().
  void connect_by(Instant end) noexcept { connect_by_ = std::min(connect_by_, end); }
  /// A back that is on its way.
  struct Onward {
    BackProof proof{};
    bool by_leg = false;
    bool warm = false;       ///< Leg::warm
    bool connected = false;  ///< Leg::connected
    bool answers = false;    ///< Leg::answers
    Duration patience{};     ///< a PoP that has acknowledged nothing after that is Step::silent
  };
  void go(Onward back, Instant now) noexcept;

  // ---- The back; each in the phases that its name says

  /// The back has been connected. It may be lost at once.
  void connect(Instant now) noexcept;
  /// The back failed as only a connection can that was made.
  void connect_and_lose() noexcept { attempts_.connect(); }
  /// A hello has been sent instead of the header.
  void greet() noexcept;
  /// The header may go. `with_data`: the socket may be connected before a server has heard of it
  /// (RFC 7413). Returns true if bytes may flow now; else the answer is awaited.
  bool go_on(Instant now, bool with_data) noexcept;
  /// The leg's PoP has proven itself.
  void prove(Instant now) noexcept { last_activity_ = now; }
  /// The leg has told that the server accepts.
  void answer(Instant now, bool with_data) noexcept { relay(BackProof{}, now, with_data); }
  /// Bytes, or an end, have been passed on.
  void move(Instant now) noexcept { last_activity_ = now; }
  /// When bytes last moved, or the phase began.
  Instant last_activity() const noexcept { return last_activity_; }
  /// The server has said something: it has been heard, whatever its socket opened with.
  void hear_server() noexcept {
    if (attempts_.is_committed()) connect_by_ = Instant::max();
  }
  /// The leg's PoP is known to live: no other leg will be asked for.
  void commit() noexcept;

  // ---- Loss

  struct Loss {
    Ending ending;
    bool restartable = false;  ///< another back would miss nothing (Direction::can_restart())
    bool again = false;        ///< the PoP itself asks for another leg
  };
  /// Step::stale if another leg may be asked for; else as give_up().
  Step lose_back(const Loss& loss, const SocketSigns& signs) noexcept;
  /// After Step::stale and Step::silent: true if the PoP itself is to be doubted. False: only that
  /// leg; a fresh one may live.
  bool blames_pop() const noexcept;
  /// The same: true if the connection goes that way, and go() comes next.
  bool retry(OtherWay way, bool restartable) const noexcept;
  /// There is no other back. The connection is finished; but what the client is not there yet to
  /// see waits for it. A client whose SYN is held can be told at once.
  Step give_up(Ending ending) noexcept;

  // ---- Time and end

  /// When expire() is due, unless something happens before. `half_closed`: a side has said all, and
  /// the other one's silence is this side's to end.
  Instant deadline(const RelayLimits& limits, bool half_closed) const noexcept;
  struct Expiry {
    Step step = Step::waiting;
    bool commits = false;  ///< commit() has been called: what was kept back for another leg may go
  };
  /// Ends it the way its phase says (finished), unless bytes are still on their way to a slow
  /// reader, or it was only its leg's time that had come (waiting, silent): then deadline() is
  /// later.
  Expiry expire(Instant now, const SocketSigns& signs) noexcept;
  Step finish(Ending ending) noexcept;

 private:
  Journey(Phase phase, Claim claim, bool from_leg, Instant now) noexcept
      : phase_(std::move(phase)), claim_(claim), last_activity_(now), from_leg_(from_leg) {}
  void relay(BackProof proof, Instant now, bool with_data,
             Instant notice_death_from = Instant::max()) noexcept;
  Instant end_of_silence(const RelayLimits& limits, bool half_closed) const noexcept;
  Expiry review_leg(const SocketSigns& signs) noexcept;
  Expiry review_connect(const SocketSigns& signs) noexcept;
  Step end_silence(Instant now, const SocketSigns& signs) noexcept;

  Phase phase_;
  BackAttempts attempts_;
  Claim claim_;
  Instant last_activity_;
  Instant connect_by_ = Instant::max();  // max: the onward half has been heard
  bool from_leg_;
};

}  // namespace tw::relay
