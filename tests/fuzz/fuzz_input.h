// A fuzz target takes its decisions from the input, front to back. Behind its end all is
// zero, so that every input is one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace tw::testing {

class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* bytes, std::size_t size) noexcept : rest_(bytes, size) {}

  bool empty() const noexcept { return rest_.empty(); }
  std::uint8_t byte() noexcept {
    if (rest_.empty()) return 0;
    const std::uint8_t first = rest_.front();
    rest_ = rest_.subspan(1);
    return first;
  }
  /// Big-endian.
  std::uint16_t word() noexcept {
    const unsigned high = byte();
    return static_cast<std::uint16_t>(high << 8U | byte());
  }
  /// The next `count` bytes, or what there is. They stay the input's.
  ByteView take(std::size_t count) noexcept {
    const ByteView taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

 private:
  ByteView rest_;
};

}  // namespace tw::testing
