// link: tw_wire
// covers: wire/ip/ip_packet.cc wire/ip/transport.cc wire/message/syn_report.cc
// IP, TCP and UDP headers: whatever a view shows lies inside the packet and its stated length.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "wire/ip/ip_packet.h"
#include "wire/ip/transport.h"
#include "wire/message/syn_report.h"

namespace {

void check_inside(tw::ByteView whole, tw::ByteView part) {
  TW_ASSERT(part.data() >= whole.data());
  TW_ASSERT(part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const tw::ByteView packet{bytes, size};
  const auto ip = tw::IpPacketView::of(packet);
  if (!ip) return 0;
  TW_ASSERT(ip->version == 4 || ip->version == 6);
  TW_ASSERT(ip->header_length <= ip->total_length && ip->total_length <= size);
  TW_ASSERT(ip->source.size() == (ip->version == 4 ? 4U : 16U));
  const tw::ByteView whole = packet.first(ip->total_length);
  check_inside(whole, ip->source);
  check_inside(whole, ip->target);
  const auto place = tw::TransportPlace::of(packet, *ip);
  const auto tcp = tw::TcpView::of(packet, *ip);
  const auto udp = tw::UdpView::of(packet, *ip);
  if (place) TW_ASSERT(place->offset >= ip->header_length && place->offset <= ip->total_length);
  TW_ASSERT(!tcp || (place && place->protocol == tw::protocol_tcp));
  TW_ASSERT(!udp || (place && place->protocol == tw::protocol_udp));
  if (tcp) {
    check_inside(whole, tcp->options);
    check_inside(whole, tcp->payload);
    TW_ASSERT(tcp->options.size() <= 40);
  }
  if (udp) check_inside(whole, udp->payload);
  const auto syn = tw::SynReport::of(packet, *ip);
  TW_ASSERT(!syn || (tcp && (tcp->flags & tw::TcpView::syn) != 0));
  if (syn) {
    TW_ASSERT(syn->payload_bytes == tcp->payload.size());
    TW_ASSERT(tcp->is_intact(packet, *ip));
  }
  return 0;
}
