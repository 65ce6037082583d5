#include "wire/crc32c.h"

#include <array>

namespace tw {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  constexpr std::uint32_t reflected_polynomial = 0x82f63b78;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? reflected_polynomial : 0);
    }
    table[i] = crc;
  }
  return table;
}
constexpr auto table = make_table();

}  // namespace

void Crc32c::add(ByteView bytes) noexcept {
  for (const std::uint8_t byte : bytes) {
    state_ = (state_ >> 8U) ^ table[(state_ ^ byte) & 0xffU];
  }
}

}  // namespace tw
