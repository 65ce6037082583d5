// The listening sockets of a relay, and accepting from them. They are exchanged one by one, the
// new before the old, and never left while the node lives (doors.h says why). A socket is asked
// until it is empty, because events are edge-triggered.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/result.h"
#include "base/spare_fd.h"
#include "base/time.h"
#include "relay/settings.h"
#include "relay/sockets/doors.h"
#include "relay/sockets/event_queue.h"
#include "relay/sockets/listener.h"

namespace tw::relay {

class Acceptor {
 public:
  /// `events` must outlive this.
  explicit Acceptor(EventQueue& events);

  /// Gets each connection that was accepted, with the door that it came by; with `refused`, a
  /// connection has been reset for want of a descriptor; with `exhausted`, nothing could be done.
  using Visitor = std::function<void(const DoorPlan&, AcceptStatus, Accepted)>;

  /// Takes over the sockets that have been opened for `settings`, and closes those that the
  /// settings do not name: `visit` gets the connections that wait there first. Fails if one cannot
  /// be watched; the others are taken over.
  Result<void> change(const RelaySettings& settings, std::vector<OpenDoor> opened,
                      const Visitor& visit);
  /// Sets on every socket what the connections accepted from it inherit.
  void apply(const RelaySettings& settings);
  std::vector<DoorPlan> plans() const;
  void close_all() noexcept { doors_.clear(); }

  /// A connection may wait at that door (EventQueue::Event::door).
  void set_ready(std::size_t door) noexcept;
  void set_all_ready() noexcept;
  /// True if a connection may wait that has not been accepted.
  bool is_any_ready() const noexcept;

  /// Accepts about `most` connections. Each door has its share: a crowd of clients does not keep
  /// other PoPs out. Returns how many were accepted or reset. After `exhausted` none is accepted
  /// for accept_pause.
  std::size_t accept_some(Instant now, std::size_t most, const Visitor& visit);
  /// True if accept_some() has something to do now.
  bool has_work() const noexcept { return is_any_ready() && again_ == Instant::max(); }
  /// End of the pause after `exhausted`; Instant::max(): there is none.
  Instant next_deadline() const noexcept { return again_; }

 private:
  static constexpr Duration accept_pause = 100ms;  // until a descriptor may have come back
  struct Door {
    Listener listener;
    DoorPlan plan;
    bool ready = true;
  };
  Result<void> watch_all();

  EventQueue& events_;
  std::vector<Door> doors_;
  SpareFd spare_;
  Instant again_ = Instant::max();
};

}  // namespace tw::relay
