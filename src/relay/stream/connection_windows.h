// Says how much the two sources of one connection may hold in the kernel: little until its client
// is known to be there, then what the budget allows (source_window.h).
//
// A half waits for its client's handshake, and so does a client that was accepted for the data in
// its SYN: that is one segment of a cookie's owner. Another PoP tells of its client by the window
// that it opens on its leg.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "relay/legs/leg_source.h"
#include "relay/pacing/resumer.h"
#include "relay/stream/on_demand.h"
#include "relay/stream/receive_budget.h"
#include "relay/stream/source_window.h"
#include "wire/address.h"

namespace tw::relay {

class ConnectionWindows {
 public:
  /// The connection, as far as its windows depend on it.
  struct Ends {
    int front = -1, back = -1;  ///< sockets; -1: not there
    bool from_pop = false;      ///< the front is another PoP's leg
    bool to_pop = false;        ///< the back is a leg
    bool fast_open = false;     ///< the client's SYN carried data
    IpAddress client;
    std::uint64_t bytes_upstream = 0, bytes_downstream = 0;  ///< taken from front, and from back
  };

  /// Sources' memory comes out of `budget`, which must outlive this; a leg never has more than
  /// `leg_memory_most`. `announcer` tells the other side of a leg that it has been opened; may be
  /// null. Before anything else happens to the connection: an accepted leg may send
  /// accepted_memory, and a client is awaited. Until this is called all sockets stay as they are.
  void share(ReceiveBudget& budget, std::uint32_t leg_memory_most, Resumer* announcer,
             const Ends& ends) noexcept;
  /// Nothing is known of the client but its request. Until it is, little is sent to it, and little
  /// taken from its server.
  void await_client(const Ends& ends) noexcept;
  bool awaits_client() const noexcept { return awaits_client_; }
  /// The client is there.
  void meet_client(const Ends& ends, Instant now) noexcept;
  /// `leg` has become the back.
  void begin_back(const Ends& ends, const Leg& leg) noexcept;
  void drop_back() noexcept { back_.reset(); }

  /// Before anything is read or sent in a turn: what leaves then tells the other side.
  /// `source_ready`: one of the sources has bytes.
  void before_turn(const Ends& ends, bool source_ready, Instant now) noexcept;
  /// After a turn, and when it is due.
  void after_turn(const Ends& ends, Instant now) noexcept;
  /// When after_turn() is due, though nothing happens. Instant::max() if never.
  Instant deadline() const noexcept;
  /// Gives back to the budget what was taken. Before the sockets are closed.
  void close() noexcept;

 private:
  bool client_is_here(const Ends& ends) const noexcept;
  Principal sharer(const Ends& ends) const noexcept;
  void watch(OnDemand<SourceWindow>& window, const Ends& ends, bool front, Instant now) noexcept;

  ReceiveBudget* budget_ = nullptr;  // null: sockets are left alone
  Resumer* announcer_ = nullptr;
  OnDemand<SourceWindow> front_, back_;
  Instant announce_at_ = Instant::max();
  std::uint64_t upstream_when_opened_ = 0;  // Ends::bytes_upstream
  std::uint32_t leg_memory_most_ = 0;
  std::uint32_t bound_from_ = 0;  // Leg::bound_from, until the client is here
  bool awaits_client_ = false;
};

}  // namespace tw::relay
