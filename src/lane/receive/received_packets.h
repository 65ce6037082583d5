// Transport packets between two stages of the receive side, as values. A stage takes them from the
// one before and hands them to the next by reference; the packets themselves lie in the buffers in
// which a port received them, are opened there, and leave from there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/assert.h"
#include "crypto/aead_engine.h"
#include "lane/peers/peer_table.h"
#include "port/train.h"
#include "wg/session.h"

namespace tw::lane {

/// A packet's session, and the train that brought it. A session that lets go of the keypair
/// meanwhile gives it to ReleasedKeypairs, which must outlive the packet.
struct Arrival {
  LanePeer* peer;
  wg::LiveKeypair* keypair;
  const Train* train;
  std::uint32_t datagram_bytes;
};

/// Packets that have been received and not been opened: bounded, allocated once. The job and the
/// arrival of a packet have the same number.
class SealedPackets {
 public:
  explicit SealedPackets(std::size_t capacity) : capacity_(capacity) {
    jobs_.reserve(capacity);
    arrivals_.reserve(capacity);
  }

  /// Not without room().
  void push(const crypto::AeadJob& job, const Arrival& arrival) noexcept {
    TW_ASSERT(room() > 0);
    jobs_.push_back(job);
    arrivals_.push_back(arrival);
  }
  bool empty() const noexcept { return jobs_.empty(); }
  std::size_t room() const noexcept { return capacity_ - jobs_.size(); }
  std::span<crypto::AeadJob> jobs() noexcept { return jobs_; }
  std::span<const Arrival> arrivals() const noexcept { return arrivals_; }
  void clear() noexcept {
    jobs_.clear();
    arrivals_.clear();
  }

 private:
  std::size_t capacity_;
  std::vector<crypto::AeadJob> jobs_;
  std::vector<Arrival> arrivals_;
};

/// Packets that have been opened, in the order they came. Valid until the SealedPackets that they
/// were are cleared. A job that is not authentic has no text.
struct OpenedPackets {
  std::span<const crypto::AeadJob> jobs;
  std::span<const Arrival> arrivals;
};

/// The actions that a peer's packets have made its session ask for, and the keypairs that ended
/// by them. An event without either says that the session's timers may have moved.
struct SessionEvent {
  LanePeer* peer = nullptr;
  wg::SessionActions actions;
  wg::ReleasedKeypairs released;
};

/// The events of one delivery, in order: bounded, allocated once. Nothing that they ask for is done
/// before the delivery has ended, so no packet of it finds its session changed by another's event.
class SessionEvents {
 public:
  /// `capacity`: the most packets that one delivery has.
  explicit SessionEvents(std::size_t capacity) { events_.reserve(capacity); }

  /// Returns the event of a packet of `peer`: a run of one peer's packets shares one.
  SessionEvent& of(LanePeer& peer) noexcept {
    if (!events_.empty() && events_.back().peer == &peer && events_.back().released.empty()) {
      return events_.back();
    }
    TW_ASSERT(events_.size() < events_.capacity());
    SessionEvent& event = events_.emplace_back();
    event.peer = &peer;
    return event;
  }
  /// Calls handle(event) for each, and then frees the keypairs that were released.
  template <typename Handle>
  void drain(Handle&& handle) noexcept {
    for (const SessionEvent& event : events_) handle(event);
    events_.clear();
  }

 private:
  std::vector<SessionEvent> events_;
};

}  // namespace tw::lane
