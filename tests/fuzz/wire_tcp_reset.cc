// link: tw_wire
// covers: wire/ip/tcp_reset.cc
// The packet that refuses a SYN: nothing for what is none, and else one segment that its sender's
// TCP takes for the answer, with sums that are right.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "wire/checksum.h"
#include "wire/ip/ip_packet.h"
#include "wire/ip/tcp_reset.h"
#include "wire/ip/transport.h"
#include "wire/message/syn_report.h"

namespace {

void check_answer(tw::ByteView reset, const tw::IpPacketView& asked, const tw::TcpView& syn) {
  const auto ip = tw::IpPacketView::of(reset);
  TW_ASSERT(ip && ip->total_length == reset.size() && ip->version == asked.version);
  TW_ASSERT(std::ranges::equal(ip->source, asked.target));
  TW_ASSERT(std::ranges::equal(ip->target, asked.source));
  const auto tcp = tw::TcpView::of(reset, *ip);
  TW_ASSERT(tcp && tcp->flags == (tw::TcpView::rst | tw::TcpView::ack) && tcp->payload.empty());
  TW_ASSERT(tcp->source_port == syn.target_port && tcp->target_port == syn.source_port);
  TW_ASSERT(tcp->acknowledgement ==
            static_cast<std::uint32_t>(syn.sequence + 1 + syn.payload.size()));
  tw::InternetSum sum = tw::pseudo_header_sum(ip->source, ip->target, tw::protocol_tcp,
                                              static_cast<std::uint32_t>(tw::tcp_min_header));
  sum.add(reset.subspan(ip->header_length));
  TW_ASSERT(sum.checksum() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const tw::ByteView packet{bytes, size};
  std::array<std::uint8_t, tw::tcp_reset_max> out{};
  const std::size_t length = tw::write_tcp_reset(packet, out);
  const auto ip = tw::IpPacketView::of(packet);
  // Whatever is reported, and so may be held, can be refused. A damaged one is not reported.
  const bool is_reported = ip && tw::SynReport::of(packet, *ip).has_value();
  TW_ASSERT(!is_reported || length > 0);
  if (length == 0) return 0;
  check_answer(tw::ByteView{out}.first(length), *ip, *tw::TcpView::of(packet, *ip));
  return 0;
}
