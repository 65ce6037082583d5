// The bytes that a client has sent and nobody has read yet. They may hold private keys, so that
// every byte is wiped when it is taken, and what is left at the end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/bytes.h"
#include "crypto/secret.h"

namespace tw::node {

class WipedInput {
 public:
  static constexpr std::size_t capacity = 16384;

  WipedInput() = default;
  WipedInput(const WipedInput&) = delete;
  WipedInput& operator=(const WipedInput&) = delete;
  ~WipedInput() { crypto::wipe(bytes_); }

  bool empty() const noexcept { return begin_ == end_; }
  ByteView waiting() const noexcept { return ByteView{bytes_}.subspan(begin_, end_ - begin_); }
  /// Where to receive to; only while it is empty.
  ByteSpan room() noexcept {
    TW_ASSERT(empty());
    return bytes_;
  }
  /// So many bytes have come into room().
  void filled(std::size_t size) noexcept {
    TW_ASSERT(empty() && size <= capacity);
    begin_ = 0;
    end_ = size;
  }
  /// The first `size` of waiting() are done with.
  void take(std::size_t size) noexcept {
    TW_ASSERT(size <= end_ - begin_);
    crypto::wipe(ByteSpan{bytes_}.subspan(begin_, size));
    begin_ += size;
  }

 private:
  std::array<std::uint8_t, capacity> bytes_{};
  std::size_t begin_ = 0, end_ = 0;  // of what is not taken yet
};

}  // namespace tw::node
