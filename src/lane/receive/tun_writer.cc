#include "lane/receive/tun_writer.h"

#include <array>

#include "base/assert.h"
#include "wire/offload/gso.h"

namespace tw::lane {
namespace {

/// Trains joined of one batch: what a batch of full-sized packets fills, twice over.
constexpr std::size_t joined_trains = 16;

}  // namespace

TunWriter::TunWriter(Port& tun, DirectionCounters& counters, std::size_t packets)
    : tun_(tun), counters_(counters), coalescer_(packets, joined_trains) {
  follow_capabilities();
  trains_.reserve(packets);
}

/// A joined train leaves its checksum to be done.
void TunWriter::follow_capabilities() noexcept {
  const PortCapabilities tun = tun_.capabilities();
  coalescer_.set_kinds(
      {.tcp = tun.checksums && tun.tcp_trains, .udp = tun.checksums && tun.udp_trains});
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
    if (refused.packets > 1 && result.unsupported) {
      follow_capabilities();
      write_singly(refused);
    } else {
      counters_.drops.add(Drop::tun_error, refused.packets);
    }
    ++next;
  }
  trains_.clear();
  coalescer_.clear();
}

/// Takes a train apart that the TUN does not take.
void TunWriter::write_singly(const JoinedPackets& joined) noexcept {
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
