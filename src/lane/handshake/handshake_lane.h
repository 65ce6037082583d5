// Runs the Handshaker on whatever context it is attached to: requests in from the rings of the
// tunnel's lanes, events out to the lane that owns the peer. Data never waits for a curve
// operation, because they do not share a thread.
//
// A turn empties the rings first, at the price of hashes: what is to be refused or answered with a
// cookie goes at once, answers to our own initiations are processed at once, and initiations line
// up. Only then a few of those are processed. So no ring fills while curves are computed,
// and what waits for a curve operation under load has proved where it comes from.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "base/time.h"
#include "exec/context.h"
#include "lane/counters.h"
#include "lane/handshake/handshake_channel.h"
#include "lane/peers/index_allocator.h"
#include "steer/steering_table.h"
#include "wg/handshaker.h"

namespace tw::lane {

/// A lane of the tunnel, as its handshake context sees it. Both must outlive that.
struct HandshakeLink {
  HandshakeChannel& channel;
  ExecContext& worker;  ///< woken when there is an event for the lane
};

class HandshakeLane final : public Poller, private wg::HandshakeSink {
 public:
  /// Initiations that may wait for their curve operations, 0.2 ms each.
  static constexpr std::size_t waiting_max = 1024;
  /// With more than this many waiting we are under load, and for a second after: then those without
  /// a valid mac2 are answered with a cookie. (The kernel module: an eighth of 4,096, and a
  /// second.)
  static constexpr std::size_t under_load_threshold = waiting_max / 4;
  static constexpr Duration load_lasts = 1s;
  /// Handshakes processed in one turn: 2 ms until the ring is looked at again.
  static constexpr std::size_t handshakes_per_turn = 8;

  /// Slots of the event ring that cookie replies may not take.
  static constexpr std::size_t reserved_events = 256;

  /// All must outlive this. `steering` says which of the links, by the id of its worker, owns a
  /// peer's bucket.
  HandshakeLane(std::span<const HandshakeLink> links, const SteeringTable& steering,
                IndexAllocator& indices, RandomSource& random, const Clock& clock);

  /// Calls `told`, on this lane's context, for each peer that does not answer initiations (see
  /// wg::HandshakeSink::unanswered). Before attach(); `told` must not throw.
  void on_unanswered(std::function<void(wg::PeerId)> told) { told_unanswered_ = std::move(told); }

  /// On this lane's context only, as all of it: keys and peers are set through it.
  wg::Handshaker& handshaker() noexcept { return handshaker_; }
  const HandshakeCounters& counters() const noexcept { return counters_; }

  Work poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override { return handshaker_.next_deadline(); }
  bool arm() noexcept override;

 private:
  struct Link {
    HandshakeChannel& channel;
    ExecContext& worker;
    bool woken = false;  // there is an event of this turn for it
  };

  std::size_t take_requests(Link& link, Instant now) noexcept;
  Link& owner_of(wg::PeerId peer) noexcept;
  void handle(HandshakeRequest& request, Instant now) noexcept;
  void receive(HandshakeRequest& request, Instant now) noexcept;
  void process(const HandshakeRequest& request, Instant now) noexcept;
  bool under_load(Instant now) noexcept;
  [[nodiscard]] bool push(Link& link, HandshakeEvent&& event) noexcept;
  void push_message(Link& link, HandshakeEvent&& event, ByteView datagram) noexcept;
  void count_sent(ByteView datagram) noexcept;
  void send(wg::PeerId peer, const std::optional<Endpoint>& to,
            ByteView datagram) noexcept override;
  void reply(const Endpoint& to, ByteView datagram) noexcept override;
  bool established(wg::PeerId peer, wg::Keypair keypair, const Endpoint& from) noexcept override;
  void gave_up(wg::PeerId peer) noexcept override;
  void unanswered(wg::PeerId peer) noexcept override;

  std::vector<Link> links_;
  std::size_t first_link_ = 0;  // of the next turn
  Link* from_ = nullptr;        // brought the request that is being handled
  const SteeringTable& steering_;
  IndexAllocator& indices_;
  const Clock& clock_;
  wg::Handshaker handshaker_;
  HandshakeCounters counters_;
  std::function<void(wg::PeerId)> told_unanswered_;
  SpscRing<HandshakeRequest> waiting_{waiting_max};  // admitted initiations, in order
  Instant loaded_until_;
  std::size_t handshakes_left_ = 0;  // of this turn
  HandshakeRequest request_;         // kept, so that popping does not build one each time
  LocalAddress local_;               // where the message that is being handled came to
};

}  // namespace tw::lane
