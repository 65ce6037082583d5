#include "lane/transmit/icmp_replies.h"

#include <algorithm>
#include <array>

namespace tw::lane {

void IcmpReplies::answer(ByteView packet, const Undelivered& reason, Instant now) noexcept {
  const Instant full_at = std::max(full_at_, now) + interval;
  if (full_at > now + burst * interval) return;
  std::array<std::uint8_t, icmp_error_max> bytes;
  const std::size_t length = icmp_undelivered(packet, reason, bytes);
  if (length == 0) return;
  full_at_ = full_at;

  Train train;
  train.bytes = bytes.data();
  train.length = train.segment_size = static_cast<std::uint32_t>(length);
  counters_.generated.add();
  if (tun_.send({&train, 1}).taken == 0) return counters_.drops.add(Drop::tun_error);
  counters_.sent.add();
  counters_.sent_bytes.add(length);
}

}  // namespace tw::lane
