// Split TCP: takes the connections that TPROXY hands over and the legs that other PoPs open, finds
// the way onward, and moves bytes between the two halves without copying them to user space.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "exec/poller.h"
#include "relay/settings.h"
#include "relay/snapshot.h"
#include "relay/sockets/doors.h"
#include "relay/syn/syn_source.h"

namespace tw::relay {

/// One relay worker's share. A Poller on a context of its own: a splice can take hundreds of
/// microseconds, and a data worker has not got them.
class Relay final : public Poller {
 public:
  /// Opens the listeners (needs CAP_NET_ADMIN for IP_TRANSPARENT and SO_BINDTODEVICE; the TUN
  /// device and its addresses must exist). Nothing is left open on failure.
  /// `syns` are this relay's to consume, and must outlive it. Of the listeners, those in `doors`
  /// are open already.
  static Result<std::unique_ptr<Relay>> create(RelaySettings settings,
                                               std::vector<SynSource*> syns = {},
                                               std::vector<OpenDoor> doors = {});
  /// Each SYN that is reported as held gets its answer by the ring of its reporter. Before the
  /// first poll; they must outlive this. Without any none may be held.
  void answer_syns(std::vector<SynAnswers*> by_reporter) noexcept;
  /// Resets every connection that is still there.
  ~Relay() override;

  /// New routes, policy, limits, turbo. Connections that are being relayed stay, but for those that
  /// the new settings refuse, by policy, target or PoP: they are reset; returns how many there
  /// were. `opened`: what open_doors() has made of these settings and doors(); listeners that they
  /// do not name are closed after those have been taken over, and the others stay the same sockets.
  /// The TUN device stays what it is. On the relay's context.
  std::size_t apply(RelaySettings settings, std::vector<OpenDoor> opened = {});
  /// Returns the doors that listen now. On the relay's context.
  std::vector<DoorPlan> doors() const;
  /// SYNs from these from now on, and from no other. On the relay's context; a source that is left
  /// out is not touched any more. Fails if one cannot be watched; the others are taken.
  Result<void> take_syns_from(std::vector<SynSource*> syns);
  /// New connections are reset at once; what runs goes on. The listeners stay this process's: see
  /// doors.h. On the relay's context.
  void drain(Instant now) noexcept;
  /// Takes new connections again, after drain() or refuse_all(). On the relay's context.
  void resume() noexcept;
  /// As drain(), and what runs is reset. On the relay's context.
  void refuse_all(Instant now) noexcept;
  RelaySnapshot snapshot() const;

  Work poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override;
  Instant coalescing_until() const noexcept override;
  std::span<const int> wait_fds() const noexcept override;
  bool arm() noexcept override;

 private:
  struct State;
  explicit Relay(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace tw::relay
