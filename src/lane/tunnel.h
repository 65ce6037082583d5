// A tunnel put together: the handshake lane, and any number of tunnel lanes, each with a channel to
// it. Peers are spread over the lanes by bucket. The contexts, ports and engines come from whoever
// builds one, so that a node, a test and a simulation run the same assembly.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/random.h"
#include "crypto/aead_engine.h"
#include "exec/context.h"
#include "lane/handshake/handshake_channel.h"
#include "lane/handshake/handshake_lane.h"
#include "lane/peers/index_allocator.h"
#include "lane/tunnel_lane.h"
#include "port/port.h"
#include "steer/receiver_index.h"
#include "steer/steering_table.h"

namespace tw::lane {

/// The parts that one lane of a tunnel runs on. All must outlive the tunnel.
struct TunnelSeat {
  ExecContext& context;  ///< no other seat may have its id
  crypto::AeadEngine& engine;
  Port& tun;
};

/// Each lane is used on the context of its seat, and the handshake lane on its own. A peer is added
/// to the handshake lane first and removed from it first; else lane_of() has it.
class Tunnel {
 public:
  /// All must outlive the tunnel. The limits hold for each lane.
  Tunnel(std::span<const TunnelSeat> seats, ExecContext& handshakes, RandomSource& random,
         const Clock& clock, TunnelLaneLimits limits = {});

  /// Attaches every lane to its context. From then on nothing of the tunnel may be destroyed before
  /// the contexts have stopped.
  void attach();

  std::size_t lanes() const noexcept { return lanes_.size(); }
  TunnelLane& lane(std::size_t number) noexcept { return *lanes_[number].lane; }
  const TunnelLane& lane(std::size_t number) const noexcept { return *lanes_[number].lane; }
  /// The table and the key that say which lane owns a receiver index: what the kernel is given that
  /// steers for us.
  std::size_t lane_of(Bucket bucket) const noexcept;
  const ReceiverIndex& receiver_indices() const noexcept { return codec_; }
  /// Returns the number of the lane that owns a peer.
  std::size_t lane_of(wg::PeerId peer) const noexcept;
  HandshakeLane& handshakes() noexcept { return *handshake_lane_; }
  const HandshakeLane& handshakes() const noexcept { return *handshake_lane_; }

 private:
  struct Lane {
    ExecContext& context;
    std::unique_ptr<HandshakeChannel> channel;
    std::unique_ptr<Strangers> strangers;
    std::unique_ptr<TunnelLane> lane;
  };
  /// The rings from one lane to one other.
  struct Rings {
    TrainRing from_wire{stranger_bytes}, from_host{stranger_bytes};
  };
  /// The size of a ring: sixteen full trains, 0.8 ms at 10 Gbps. Only touched pages cost memory.
  static constexpr std::size_t stranger_bytes = std::size_t{1} << 20U;

  void join_lanes();

  ExecContext& handshake_context_;
  ReceiverIndex codec_;
  SteeringTable steering_;
  IndexAllocator indices_;
  KnownSources known_;
  std::vector<std::unique_ptr<Rings>> rings_;
  std::vector<Lane> lanes_;
  std::unique_ptr<HandshakeLane> handshake_lane_;
};

}  // namespace tw::lane
