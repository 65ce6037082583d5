// Views of bytes that know their size: what parsers take, and the only way bytes are passed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tw {

using ByteView = std::span<const std::uint8_t>;  ///< read only; does not own
using ByteSpan = std::span<std::uint8_t>;        ///< writable; does not own

inline ByteView as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace tw
