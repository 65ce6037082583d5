#include "lab/clients/pattern.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/random.h"
#include "wire/be.h"
#include "wire/ip/transport.h"

namespace tw::lab {
namespace {

constexpr std::uint64_t text_seed = 0x7468616c776567;
// The places of the stamp's fields.
constexpr std::size_t run_at = 0, check_at = 8, peer_at = 16, flags_at = 20, sequence_at = 24,
                      due_at = 32;
static_assert(due_at + 8 == Pattern::stamp_bytes);

std::uint64_t mixed(std::uint64_t value) noexcept { return SeededRandom{value}.next(); }

/// Over the whole stamp: a bit that turned anywhere in it shows.
std::uint64_t check_of(ByteView stamp) noexcept {
  std::uint64_t check = mixed(load_le64(stamp, run_at));
  check = mixed(check ^ load_le64(stamp, peer_at));
  check = mixed(check ^ load_le64(stamp, sequence_at));
  return mixed(check ^ load_le64(stamp, due_at));
}

}  // namespace

Pattern::Pattern(std::uint64_t run, std::size_t size) : run_(run), size_(size) {
  TW_ASSERT(size >= stamp_bytes);
  SeededRandom random{text_seed};
  text_.resize(size - stamp_bytes + windows);
  for (std::uint8_t& byte : text_) byte = static_cast<std::uint8_t>(random.next());
  for (std::size_t at = 0; at < windows; ++at) {
    sums_[at].add(ByteView{text_}.subspan(at, size - stamp_bytes));
  }
}

ByteView Pattern::window_of(const Stamp& stamp) const noexcept {
  const std::size_t at = (stamp.sequence + stamp.peer) % windows;
  return ByteView{text_}.subspan(at, size_ - stamp_bytes);
}

InternetSum Pattern::write(ByteSpan out, const Stamp& stamp) const noexcept {
  TW_DASSERT(out.size() >= size_);
  store_le64(out, run_at, run_);
  store_le32(out, peer_at, stamp.peer);
  store_le32(out, flags_at, stamp.measured ? 1 : 0);
  store_le64(out, sequence_at, stamp.sequence);
  store_le64(out, due_at, static_cast<std::uint64_t>(stamp.due_ns));
  store_le64(out, check_at, check_of(out));
  const ByteView window = window_of(stamp);
  if (!window.empty()) std::memcpy(out.data() + stamp_bytes, window.data(), window.size());
  InternetSum sum = sums_[(stamp.sequence + stamp.peer) % windows];
  sum.add(out.first(stamp_bytes));
  return sum;
}

Reading Pattern::read(ByteView payload, Stamp& stamp) const noexcept {
  if (payload.size() < stamp_bytes || load_le64(payload, run_at) != run_) return Reading::foreign;
  if (payload.size() != size_ || load_le64(payload, check_at) != check_of(payload)) {
    return Reading::corrupt;
  }
  const Stamp read{.peer = load_le32(payload, peer_at),
                   .measured = load_le32(payload, flags_at) != 0,
                   .sequence = load_le64(payload, sequence_at),
                   .due_ns = static_cast<std::int64_t>(load_le64(payload, due_at))};
  const ByteView window = window_of(read);
  if (!std::equal(window.begin(), window.end(), payload.begin() + stamp_bytes)) {
    return Reading::corrupt;
  }
  stamp = read;
  return Reading::intact;
}

PacketWriter::PacketWriter(const Pattern& pattern, const Endpoint& sink) noexcept
    : pattern_(pattern), sink_(sink) {
  TW_ASSERT(sink.address.is_v4());
}

// RFC 791, section 3.1, with DF and no identification (RFC 6864); RFC 768.
void PacketWriter::write(ByteSpan out, const Endpoint& source, const Stamp& stamp) const noexcept {
  constexpr std::size_t ip_bytes = 20;
  constexpr std::uint16_t version_and_length = 0x4500, do_not_fragment = 0x4000;
  constexpr std::uint16_t lifetime_and_protocol = (64U << 8U) | protocol_udp;
  store_be16(out, 0, version_and_length);
  store_be16(out, 2, static_cast<std::uint16_t>(size()));
  store_be16(out, 4, 0);
  store_be16(out, 6, do_not_fragment);
  store_be16(out, 8, lifetime_and_protocol);
  store_be16(out, 10, 0);
  std::memcpy(out.data() + 12, source.address.bytes().data(), 4);
  std::memcpy(out.data() + 16, sink_.address.bytes().data(), 4);
  InternetSum header;
  header.add(out.first(ip_bytes));
  store_be16(out, 10, header.checksum());

  const ByteSpan udp = out.subspan(ip_bytes);
  const auto length = static_cast<std::uint16_t>(udp_header_size + pattern_.size());
  store_be16(udp, 0, source.port);
  store_be16(udp, 2, sink_.port);
  store_be16(udp, 4, length);
  store_be16(udp, 6, 0);
  InternetSum sum = pattern_.write(udp.subspan(udp_header_size), stamp);
  sum.add(udp.first(udp_header_size));
  sum.add(pseudo_header_sum(source.address.bytes(), sink_.address.bytes(), protocol_udp, length));
  const std::uint16_t checksum = sum.checksum();
  store_be16(udp, 6, checksum == 0 ? 0xffff : checksum);  // 0 would mean: none
}

}  // namespace tw::lab
