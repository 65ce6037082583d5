#include "wire/ip/tcp_reset.h"

#include <algorithm>
#include <optional>

#include "base/assert.h"
#include "wire/be.h"
#include "wire/checksum.h"
#include "wire/ip/ip_header.h"
#include "wire/ip/ip_packet.h"
#include "wire/ip/transport.h"

namespace tw {
namespace {

void write_tcp(const IpPacketView& ip, const TcpView& syn, ByteSpan tcp) noexcept {
  std::ranges::fill(tcp, std::uint8_t{0});
  const auto follows = static_cast<std::uint32_t>(1 + syn.payload.size());  // a SYN is a byte
  store_be16(tcp, 0, syn.target_port);
  store_be16(tcp, 2, syn.source_port);
  store_be32(tcp, 8, syn.sequence + follows);
  tcp[12] = static_cast<std::uint8_t>(tcp_min_header / 4 << 4U);
  tcp[13] = TcpView::rst | TcpView::ack;
  InternetSum sum = pseudo_header_sum(ip.target, ip.source, protocol_tcp,
                                      static_cast<std::uint32_t>(tcp_min_header));
  sum.add(tcp);
  store_be16(tcp, 16, sum.checksum());
}

}  // namespace

std::size_t write_tcp_reset(ByteView syn, ByteSpan out) noexcept {
  TW_ASSERT(out.size() >= tcp_reset_max);
  constexpr std::uint8_t kind = TcpView::syn | TcpView::ack | TcpView::rst | TcpView::fin;
  const std::optional<IpPacketView> ip = IpPacketView::of(syn);
  if (!ip) return 0;
  const std::optional<TcpView> tcp = TcpView::of(syn, *ip);
  if (!tcp || (tcp->flags & kind) != TcpView::syn) return 0;
  const IpHeader header{.source = ip->target, .target = ip->source, .protocol = protocol_tcp};
  write_ip_header(header, tcp_min_header, out);
  write_tcp(*ip, *tcp, out.subspan(header.size(), tcp_min_header));
  return header.size() + tcp_min_header;
}

}  // namespace tw
