#include "steer/receiver_index.h"

#include <bit>

namespace tw {
namespace {

struct Halves {
  std::uint16_t x, y;
};

constexpr Halves round(Halves block, std::uint16_t key) noexcept {
  const auto sum = static_cast<std::uint16_t>(std::rotr(block.x, 7) + block.y);
  const auto x = static_cast<std::uint16_t>(sum ^ key);
  return {x, static_cast<std::uint16_t>(std::rotl(block.y, 2) ^ x)};
}

constexpr Halves inverse_round(Halves block, std::uint16_t key) noexcept {
  const std::uint16_t y = std::rotr(static_cast<std::uint16_t>(block.y ^ block.x), 2);
  const auto difference = static_cast<std::uint16_t>((block.x ^ key) - y);
  return {std::rotl(difference, 7), y};
}

constexpr Halves split(std::uint32_t block) noexcept {
  return {static_cast<std::uint16_t>(block >> 16U), static_cast<std::uint16_t>(block)};
}
constexpr std::uint32_t join(Halves block) noexcept {
  return (std::uint32_t{block.x} << 16U) | block.y;
}

}  // namespace

Speck32::Speck32(std::uint64_t key) noexcept {
  // The key schedule runs the round function on the key itself; the words are l2, l1, l0, k0 from
  // the top, as in the paper's test vectors.
  std::array<std::uint16_t, 3> l{static_cast<std::uint16_t>(key >> 16U),
                                 static_cast<std::uint16_t>(key >> 32U),
                                 static_cast<std::uint16_t>(key >> 48U)};
  auto k = static_cast<std::uint16_t>(key);
  for (std::uint16_t i = 0; i < rounds; ++i) {
    round_keys_[i] = k;
    const Halves next = round({l[i % 3], k}, i);
    l[i % 3] = next.x;
    k = next.y;
  }
}

std::uint32_t Speck32::encrypt(std::uint32_t block) const noexcept {
  Halves halves = split(block);
  for (const std::uint16_t key : round_keys_) halves = round(halves, key);
  return join(halves);
}

std::uint32_t Speck32::decrypt(std::uint32_t block) const noexcept {
  Halves halves = split(block);
  for (std::size_t i = rounds; i-- > 0;) halves = inverse_round(halves, round_keys_[i]);
  return join(halves);
}

}  // namespace tw
