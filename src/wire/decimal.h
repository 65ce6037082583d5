// Private to the folder: numbers of addresses and endpoints, with one text each.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace tw {

/// A decimal number without sign, space or leading zeros, at most `highest`.
inline std::optional<std::uint32_t> parse_decimal(std::string_view text, std::uint32_t highest) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return {};
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value > highest) return {};
  return value;
}

}  // namespace tw
