#include "wire/message/syn_report.h"

#include "wire/ip/transport.h"

namespace tw {

std::optional<SynReport> SynReport::of(ByteView packet, const IpPacketView& ip) noexcept {
  constexpr std::uint8_t kind = TcpView::syn | TcpView::ack | TcpView::rst | TcpView::fin;
  const auto tcp = TcpView::of(packet, ip);
  if (!tcp || (tcp->flags & kind) != TcpView::syn) return std::nullopt;
  if (!tcp->is_intact(packet, ip)) return std::nullopt;
  const auto address = [](ByteView bytes) { return IpAddress::from_bytes(bytes); };
  return SynReport{.client = {address(ip.source), tcp->source_port, 0},
                   .target = {address(ip.target), tcp->target_port, 0},
                   .sequence = tcp->sequence,
                   .payload_bytes = static_cast<std::uint16_t>(tcp->payload.size())};
}

}  // namespace tw
