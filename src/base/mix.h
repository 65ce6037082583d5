// The step of a fast keyed hash: both halves of a 128-bit product, folded (wyhash, Wang Yi). With a
// secret operand nobody outside can choose inputs that collide; for tables, never for
// authentication.
#pragma once

#include <cstdint>

namespace tw {

inline std::uint64_t mix(std::uint64_t left, std::uint64_t right) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{left} * right;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

}  // namespace tw
