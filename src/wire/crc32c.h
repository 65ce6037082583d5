// CRC-32C (Castagnoli; RFC 4960, appendix B): the checksum of PROXY headers. A byte at a time: it
// is taken once a connection, over some forty bytes.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace tw {

/// The CRC over bytes that arrive in parts: begin, add parts in order, then value().
class Crc32c {
 public:
  void add(ByteView bytes) noexcept;
  std::uint32_t value() const noexcept { return ~state_; }

 private:
  std::uint32_t state_ = 0xffffffff;
};

}  // namespace tw
