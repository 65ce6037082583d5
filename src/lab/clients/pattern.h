// The payload of the inner packets: a stamp that says which packet of which peer it is and when it
// was due, and behind it bytes that the receiver knows beforehand. Arriving packets can so be
// counted, ordered and compared without any state but the run's number.
//
// The bytes behind the stamp are a window into one fixed text; there are 256 windows, whose
// checksums are known beforehand: neither side has to sum what it sends or receives.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "wire/address.h"
#include "wire/checksum.h"

namespace tw::lab {

struct Stamp {
  std::uint32_t peer = 0;
  bool measured = false;       ///< sent when the warm-up was over
  std::uint64_t sequence = 0;  ///< of that peer, from 0
  std::int64_t due_ns = 0;     ///< when it was to be sent, on the sender's monotonic clock
  friend constexpr auto operator<=>(const Stamp&, const Stamp&) noexcept = default;
};

/// The result of reading a payload.
enum class Reading : std::uint8_t {
  intact,
  corrupt,  ///< of this run, and not as it was sent
  foreign,  ///< of another run, or of somebody else
};

class Pattern {
 public:
  static constexpr std::size_t stamp_bytes = 40;

  /// `run` tells the packets of one run from those of the one before.
  ///   size  of payloads; at least stamp_bytes
  Pattern(std::uint64_t run, std::size_t size);

  std::size_t size() const noexcept { return size_; }
  /// Writes a payload of size() bytes. `out` has at least as many. Returns its Internet checksum's
  /// sum.
  InternetSum write(ByteSpan out, const Stamp& stamp) const noexcept;
  /// `stamp` is set if and only if the payload is intact.
  Reading read(ByteView payload, Stamp& stamp) const noexcept;

 private:
  static constexpr std::size_t windows = 256;
  ByteView window_of(const Stamp& stamp) const noexcept;

  std::uint64_t run_;
  std::size_t size_;
  std::vector<std::uint8_t> text_;
  std::array<InternetSum, windows> sums_;
};

/// Writes inner packets: IPv4 and UDP around a pattern.
class PacketWriter {
 public:
  static constexpr std::size_t header_bytes = 20 + 8;
  /// Packets to `sink` (IPv4). The pattern must outlive this.
  PacketWriter(const Pattern& pattern, const Endpoint& sink) noexcept;

  std::size_t size() const noexcept { return header_bytes + pattern_.size(); }
  /// Writes a packet of size() bytes with right checksums. `source` is IPv4.
  void write(ByteSpan out, const Endpoint& source, const Stamp& stamp) const noexcept;

 private:
  const Pattern& pattern_;
  Endpoint sink_;
};

}  // namespace tw::lab
