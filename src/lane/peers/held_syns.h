// Reports peers' SYNs to the relay, and holds some of them back until the relay has answered, so
// that a port which refuses looks like one (docs/relay.md, "Verified"). A packet that cannot be
// held is reported all the same and goes its way: then its connection is accepted before its server
// has answered.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "exec/context_ring.h"
#include "exec/waking_ring.h"
#include "wire/ip/ip_packet.h"
#include "wire/message/syn_report.h"

namespace tw::lane {

class HeldSyns {
 public:
  /// IPv4 and TCP headers with all their options. A longer packet carries data, or IPv6 extension
  /// headers.
  static constexpr std::size_t packet_bytes_max = 120;

  /// Where SYNs are reported; null: nowhere. `answers`: where held ones are answered; null: none is
  /// held. What is held goes nowhere any more: returns how many packets that are. `reporter`: see
  /// held_number().
  std::size_t use(WakingRing<SynReport>* reports, ContextRing<SynAnswer>* answers,
                  std::size_t reporter = 0) noexcept;
  /// From now on SYNs are held, or not; those that are held stay so until they are answered.
  /// Allocates when it is first turned on.
  void hold(bool hold);

  bool reporting() const noexcept { return reports_ != nullptr; }
  /// Reports the packet if it is a SYN; `ip` must be of it. True if it is held: then it must not go
  /// on. Only when reporting().
  bool report(ByteView packet, const IpPacketView& ip) noexcept;

  struct Answered {
    SynVerdict verdict{};
    ByteSpan packet{};  ///< as it was held; valid until the next report()
  };
  /// The next answer that has come, its packet held no longer. False if there is none.
  bool next(Answered& answered) noexcept;
  /// A reason not to sleep.
  bool has_answers() const noexcept { return answers_ != nullptr && !answers_->empty(); }
  std::size_t held() const noexcept { return slots_.size() - free_.size(); }

 private:
  struct Slot {
    std::uint8_t length = 0;  // 0: free
    std::array<std::uint8_t, packet_bytes_max> bytes{};
  };
  std::uint32_t keep(ByteView packet) noexcept;
  void free_all() noexcept;

  WakingRing<SynReport>* reports_ = nullptr;
  ContextRing<SynAnswer>* answers_ = nullptr;
  std::size_t reporter_ = 0;
  bool hold_ = false;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace tw::lane
