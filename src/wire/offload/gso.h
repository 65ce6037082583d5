// A packet from a TUN may stand for a train of up to 64 KB: one set of headers, one long payload,
// and a VnetHeader that says where to cut. GsoView is such a packet after everything its header
// claims was checked against its bytes; it can be counted, cut into shorter trains, and split into
// the packets that the far end would have sent without offloads (what the kernel does in
// net/ipv4/tcp_offload.c, udp_offload.c). The train may be inside a UDP tunnel: every segment has
// the outer headers too, with lengths and checksums of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/offload/vnet_header.h"

namespace tw {

/// The result of slice().
struct GsoSlice {
  std::size_t length;  ///< bytes written
  VnetHeader vnet;     ///< gso_none if one segment is left
};

class GsoView {
 public:
  /// Checks `vnet` against `packet`, which must be one IP packet and outlive the view. Empty if
  ///  - the IP header is not whole, or (for a train) its length is not that of the packet,
  ///  - a flag or GSO type is none of ours, or does not fit the IP version and protocol,
  ///  - the segment size is 0, the packet a fragment, or the transport header not whole,
  ///  - the checksum to be done does not lie in the packet, or (for a train) is not TCP's or UDP's,
  ///  - (for a train in a UDP tunnel) the outer headers are not IP and UDP of the kind that is
  ///    said, the inner ones do not lie behind them or do not end with the packet, or the outer
  ///    checksum is neither absent nor to be done.
  /// header_length is ignored: it is a hint, and may come from a hostile guest. gso_none packets of
  /// every protocol are trains of one.
  static std::optional<GsoView> of(ByteView packet, const VnetHeader& vnet) noexcept;

  ByteView packet() const noexcept { return packet_; }
  /// TOS byte or traffic class: DSCP and ECN.
  std::uint8_t traffic_class() const noexcept { return traffic_class_; }
  /// Where it goes: 4 or 16 bytes, inside the packet. As the class, of the outer header.
  ByteView target() const noexcept { return target_; }
  /// At least 1; up to 65,527 if the sender chose segments of one byte.
  std::size_t segment_count() const noexcept { return segments_; }
  /// Bytes of headers, the inner TCP or UDP one included, that every segment of a train carries; 0
  /// if it is not a train.
  std::size_t header_size() const noexcept { return header_size_; }
  /// Bytes of segments [first, first + count) as one packet with one set of headers.
  std::size_t slice_length(std::size_t first, std::size_t count) const noexcept;
  std::size_t segment_length(std::size_t index) const noexcept { return slice_length(index, 1); }

  /// Bytes that all segments take on a link when each has its own headers and `frame_overhead`.
  std::size_t wire_bytes(std::size_t frame_overhead) const noexcept;

  /// Writes segments [first, first + count) to `out` as a packet of its own: lengths, IPv4
  /// identification and header checksum, TCP sequence, FIN and PSH only with the last segment, CWR
  /// only with the first. The checksum stays half done: NEEDS_CSUM over the right pseudo-header.
  /// The range must lie inside the train, count > 0, and `out` have room for slice_length() bytes
  /// that do not overlap the packet; anything else is a programmer's error.
  GsoSlice slice(std::size_t first, std::size_t count, ByteSpan out) const noexcept;

  /// Writes one segment to `out` as a finished packet, checksum included: one pass over its bytes.
  /// Returns its length. The conditions of slice() hold.
  std::size_t segment(std::size_t index, ByteSpan out) const noexcept;

  /// Writes every segment where place(index, length), a ByteSpan with room for `length`, says.
  template <typename Place>
  void split_all(Place&& place) const {
    for (std::size_t i = 0; i < segments_; ++i) segment(i, place(i, segment_length(i)));
  }

 private:
  GsoView(ByteView packet, const VnetHeader& vnet) noexcept : packet_(packet), vnet_(vnet) {}
  bool admit_single() noexcept;
  bool admit_train() noexcept;
  bool admit_tunnel() noexcept;
  bool admit_transport(std::uint8_t gso_type) noexcept;
  ByteView payload_of(std::size_t first, std::size_t count) const noexcept;
  void write_headers(std::size_t first, std::size_t count, ByteSpan out) const noexcept;
  void write_transport(std::size_t first, std::size_t count, ByteSpan transport) const noexcept;
  void write_outer_sum(std::size_t count, ByteSpan packet) const noexcept;
  std::uint16_t pseudo_sum(std::size_t length) const noexcept;
  bool is_tunnel() const noexcept { return network_ != 0; }

  ByteView packet_;
  VnetHeader vnet_;
  std::size_t segments_ = 1;
  std::size_t header_size_ = 0;
  std::uint16_t network_ = 0;          ///< offset of the IP header: not 0 inside a UDP tunnel
  std::uint16_t transport_ = 0;        ///< offset of the TCP or UDP header
  std::uint16_t outer_transport_ = 0;  ///< of a UDP tunnel: offset of its UDP header
  ByteView target_;
  std::uint8_t traffic_class_ = 0;
  bool is_v4_ = false;
  bool is_tcp_ = false;
};

/// Fills in the checksum that a gso_none packet with NEEDS_CSUM still lacks; does nothing to one
/// without the flag. False, and the packet untouched, if GsoView::of would refuse it or it is a
/// train.
bool complete_checksum(ByteSpan packet, const VnetHeader& vnet) noexcept;

}  // namespace tw
