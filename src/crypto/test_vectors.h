// Bytes written as hexadecimal text, for known-answer tests.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"

namespace tw::crypto {

inline std::vector<std::uint8_t> from_hex(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  TW_ASSERT(text.size() % 2 == 0);
  std::vector<std::uint8_t> bytes;
  for (std::size_t at = 0; at < text.size(); at += 2) {
    const std::size_t high = digits.find(text[at]);
    const std::size_t low = digits.find(text[at + 1]);
    TW_ASSERT(high < 16 && low < 16);
    bytes.push_back(static_cast<std::uint8_t>(16 * high + low));
  }
  return bytes;
}

template <std::size_t N>
std::array<std::uint8_t, N> array_from_hex(std::string_view text) {
  const std::vector<std::uint8_t> bytes = from_hex(text);
  TW_ASSERT(bytes.size() == N);
  std::array<std::uint8_t, N> result{};
  std::copy(bytes.begin(), bytes.end(), result.begin());
  return result;
}

}  // namespace tw::crypto
