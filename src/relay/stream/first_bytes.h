// The bytes that a new connection begins with, by value: a PROXY v2 header as we write it, or an
// answer. So few that they need no memory of their own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "base/assert.h"
#include "base/bytes.h"

namespace tw::relay {

class FirstBytes {
 public:
  /// A header with IPv6 addresses, two TLVs of ours and its CRC-32C are 109.
  static constexpr std::size_t capacity = 112;

  FirstBytes() = default;
  /// At most `capacity` bytes.
  FirstBytes(ByteView bytes) noexcept { assign(bytes); }
  FirstBytes(std::initializer_list<std::uint8_t> bytes) noexcept {
    assign({bytes.begin(), bytes.size()});
  }

  bool empty() const noexcept { return begin_ == end_; }
  ByteView view() const noexcept { return ByteView{bytes_}.subspan(begin_, end_ - begin_); }
  /// To change what has not been sent yet.
  ByteSpan span() noexcept { return ByteSpan{bytes_}.subspan(begin_, end_ - begin_); }
  /// Behind those that are there; there must be room.
  void append(ByteView bytes) noexcept {
    if (empty()) begin_ = end_ = 0;
    TW_ASSERT(bytes.size() <= capacity - end_);
    std::ranges::copy(bytes, bytes_.begin() + end_);
    end_ = static_cast<std::uint8_t>(end_ + bytes.size());
  }
  /// Drops the first `count` of them.
  void drop(std::size_t count) noexcept {
    TW_ASSERT(count <= view().size());
    begin_ = static_cast<std::uint8_t>(begin_ + count);
  }

 private:
  void assign(ByteView bytes) noexcept {
    TW_ASSERT(bytes.size() <= capacity);
    std::ranges::copy(bytes, bytes_.begin());
    end_ = static_cast<std::uint8_t>(bytes.size());
  }

  std::array<std::uint8_t, capacity> bytes_{};
  std::uint8_t begin_ = 0, end_ = 0;
};

}  // namespace tw::relay
