#include "lane/receive/tun_writer.h"

#include <array>
#include <cerrno>

#include "base/assert.h"
#include "base/log.h"
#include "wire/offload/gso.h"

namespace tw::lane {
namespace {

/// Trains joined of one batch: what a batch of full-sized packets fills, twice over.
constexpr std::size_t joined_trains = 16;

}  // namespace

TunWriter::TunWriter(Port& tun, CoalescerKinds kinds, DirectionCounters& counters,
                     std::size_t packets)
    : tun_(tun), counters_(counters), coalescer_(packets, joined_trains) {
  coalescer_.set_kinds(kinds);
  trains_.reserve(packets);
}

void TunWriter::write() noexcept {
  const std::span<const JoinedPackets> joined = coalescer_.finish();
  for (const JoinedPackets& packets : joined) {
    Train& train = trains_.emplace_back();
    train.bytes = packets.bytes;
    train.length = train.segment_size = packets.length;
    train.vnet = packets.vnet;
  }
  std::size_t next = 0;
  while (next < trains_.size()) {
    const SendResult result = tun_.send(std::span<const Train>{trains_}.subspan(next));
    for (const JoinedPackets& sent : joined.subspan(next, result.taken)) count_sent(sent);
    next += result.taken;
    if (next == trains_.size()) break;
    const JoinedPackets& refused = joined[next];
    if (refused.packets > 1 && result.os_errno == EINVAL) {
      write_singly(refused);
    } else {
      counters_.drops.add(Drop::tun_error, refused.packets);
    }
    ++next;
  }
  trains_.clear();
  coalescer_.clear();
}

/// The kernel takes no trains of this kind: from now on none is made, and this one is taken apart.
void TunWriter::write_singly(const JoinedPackets& joined) noexcept {
  CoalescerKinds kinds = coalescer_.kinds();
  const bool is_udp = joined.vnet.gso_type == VnetHeader::gso_udp_l4;
  if (is_udp ? kinds.udp : kinds.tcp) {
    log::warning("the TUN refuses {} trains (EINVAL): writing single packets",
                 is_udp ? "UDP" : "TCP");
    (is_udp ? kinds.udp : kinds.tcp) = false;
    coalescer_.set_kinds(kinds);
  }
  const std::optional<GsoView> view = GsoView::of({joined.bytes, joined.length}, joined.vnet);
  TW_ASSERT(view);  // the coalescer made it
  std::array<std::uint8_t, 65536> packet;
  for (std::size_t i = 0; i < view->segment_count(); ++i) {
    Train single;
    single.bytes = packet.data();
    single.length = single.segment_size = static_cast<std::uint32_t>(view->segment(i, packet));
    if (tun_.send({&single, 1}).taken == 1) {
      count_sent({single.bytes, single.length, 1, {}});
    } else {
      counters_.drops.add(Drop::tun_error);
    }
  }
}

void TunWriter::count_sent(const JoinedPackets& joined) noexcept {
  counters_.sent.add(joined.packets);
  counters_.sent_bytes.add(joined.length +
                           (joined.packets - std::size_t{1}) * joined.vnet.header_length);
}

}  // namespace tw::lane
