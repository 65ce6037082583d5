// The words in which a connection tells its owner what has happened, and what it needs.
#pragma once

#include <cstdint>

#include "relay/outcome.h"

namespace tw::relay {

/// A connection's need after a turn, which its owner sees to.
enum class Step : std::uint8_t {
  waiting,   ///< an event on one of its sockets, or its deadline
  more,      ///< another turn: the quantum is spent
  gather,    ///< another turn a little later: a transfer comes in small pieces
  no_pipe,   ///< another turn when there may be a pipe
  header,    ///< a decision: its PROXY header has come (see client() and target())
  stale,     ///< another leg, if there is one: this one failed before its PoP has heard of us
  silent,    ///< the same; but the leg may yet answer, if there is no other
  finished,  ///< to be closed; see ending()
};

/// The reason for which a connection, or its back, has ended. `os_errno` is its socket's; 0: no
/// socket failed.
struct Ending {
  Outcome outcome = Outcome::shutdown;
  int os_errno = 0;
  friend bool operator==(const Ending&, const Ending&) noexcept = default;
};

/// The events of one turn of a connection, and its next step.
struct Progress {
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

}  // namespace tw::relay
