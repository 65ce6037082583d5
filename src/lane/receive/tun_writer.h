// The end of the receive side: packets for the host are gathered, neighbours of one inner flow are
// joined into trains, and all of them cross the TUN in one call. A TUN that turns out to refuse
// trains gets single packets from then on, and nothing is lost.
#pragma once

#include <cstddef>
#include <vector>

#include "lane/counters.h"
#include "port/port.h"
#include "wire/offload/coalescer.h"

namespace tw::lane {

class TunWriter {
 public:
  /// Both must outlive the writer. Trains are joined as far as the TUN says that it takes them.
  /// `packets`: the most that lie between two write() calls.
  TunWriter(Port& tun, DirectionCounters& counters, std::size_t packets);

  /// `packet` is one whole IP packet, `ip` its view; it must stay in place until write().
  void add(ByteSpan packet, const IpPacketView& ip) noexcept { coalescer_.add(packet, ip); }
  /// Sends what has been added. What the TUN does not take is dropped and counted.
  void write() noexcept;

 private:
  void follow_capabilities() noexcept;
  void write_singly(const JoinedPackets& joined) noexcept;
  void count_sent(const JoinedPackets& joined) noexcept;

  Port& tun_;
  DirectionCounters& counters_;
  Coalescer coalescer_;
  std::vector<Train> trains_;
};

}  // namespace tw::lane
