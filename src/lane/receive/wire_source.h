// The sockets of a lane as one source of its turns: a batch of each in rotation, taken through the
// receive pipeline.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "exec/turn.h"
#include "lane/handshake/handshake_requests.h"
#include "lane/peers/peer_sessions.h"
#include "lane/receive/receive_pipeline.h"
#include "lane/transmit/transmit_pipeline.h"
#include "port/batch_place.h"
#include "port/packet_batch.h"

namespace tw::lane {

class WireSource {
 public:
  /// `trains`: how many are handled together, each with room for a full UDP_GRO train. All must
  /// outlive this.
  WireSource(const ReceiveParts& parts, PeerSessions& sessions, HandshakeRequests& requests,
             LaneCounters& counters, std::size_t trains);

  /// The sockets to take from; `draining` are those being closed. A batch that is under way
  /// outlives the socket that it came from.
  void set_ports(UdpPorts ports, UdpPorts draining) noexcept {
    ports_ = {ports.v4, ports.v6, strangers_, draining.v4, draining.v6};
  }
  ReceivePipeline& pipeline() noexcept { return pipeline_; }

  /// A turn of the lane begins, whether its budget lasts for the sockets or not.
  void begin(Instant now) noexcept { pipeline_.begin(now); }
  /// Takes one batch of each socket in turn. Of a socket that has not filled its batch nothing more
  /// is asked in this turn: that saves a call that finds nothing.
  void take(Turn& turn) noexcept;
  /// Arms all sockets. False if packets wait in one of them, or in the batch.
  bool arm() noexcept;
  /// Appends the descriptors of the sockets.
  void add_wait_fds(std::vector<int>& fds) const;

 private:
  void take_batch(Turn& turn) noexcept;
  bool is_batch_done() const noexcept { return place_.train == batch_.size(); }

  PeerSessions& sessions_;
  HandshakeRequests& requests_;
  ReceivePipeline pipeline_;
  Port* strangers_;               // what other workers pass on; null without any
  std::array<Port*, 5> ports_{};  // those being closed last
  std::size_t next_port_ = 0;
  PacketBatch batch_;
  BatchPlace place_;
};

}  // namespace tw::lane
