#include "wire/tcp_reset.h"

#include <algorithm>
#include <optional>

#include "base/assert.h"
#include "wire/be.h"
#include "wire/checksum.h"
#include "wire/ip_packet.h"
#include "wire/transport.h"

namespace tw {
namespace {

constexpr std::size_t v4_header = 20, v6_header = 40;
constexpr std::uint8_t hop_limit = 64;
constexpr std::uint16_t dont_fragment = 0x4000;

void write_v4(const IpPacketView& ip, ByteSpan header) noexcept {
  header[0] = 0x45;
  store_be16(header, 2, static_cast<std::uint16_t>(v4_header + tcp_min_header));
  store_be16(header, 6, dont_fragment);
  header[8] = hop_limit;
  header[9] = protocol_tcp;
  std::ranges::copy(ip.target, header.begin() + 12);
  std::ranges::copy(ip.source, header.begin() + 16);
  InternetSum sum;
  sum.add(header);
  store_be16(header, 10, sum.checksum());
}

void write_v6(const IpPacketView& ip, ByteSpan header) noexcept {
  header[0] = 0x60;
  store_be16(header, 4, static_cast<std::uint16_t>(tcp_min_header));
  header[6] = protocol_tcp;
  header[7] = hop_limit;
  std::ranges::copy(ip.target, header.begin() + 8);
  std::ranges::copy(ip.source, header.begin() + 24);
}

void write_tcp(const IpPacketView& ip, const TcpView& syn, ByteSpan tcp) noexcept {
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
  const std::size_t header = ip->version == 4 ? v4_header : v6_header;
  const ByteSpan answer = out.first(header + tcp_min_header);
  std::ranges::fill(answer, std::uint8_t{0});
  ip->version == 4 ? write_v4(*ip, answer.first(header)) : write_v6(*ip, answer.first(header));
  write_tcp(*ip, *tcp, answer.subspan(header));
  return answer.size();
}

}  // namespace tw
