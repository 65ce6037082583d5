#include "wg/tai64n.h"

#include <algorithm>

#include "wire/be.h"

namespace tw::wg {
namespace {

constexpr std::uint64_t epoch = 0x400000000000000a;  // 1970-01-01 in TAI64, as of that day
constexpr std::uint32_t step = std::uint32_t{1} << 24U;
constexpr std::uint32_t second = 1'000'000'000;

Tai64n make(std::uint64_t seconds, std::uint32_t nanoseconds) noexcept {
  Tai64n result;
  store_be32(result.bytes, 0, static_cast<std::uint32_t>(seconds >> 32U));
  store_be32(result.bytes, 4, static_cast<std::uint32_t>(seconds));
  store_be32(result.bytes, 8, nanoseconds);
  return result;
}

Tai64n next_step(const Tai64n& last) noexcept {
  std::uint64_t seconds =
      (std::uint64_t{load_be32(last.bytes, 0)} << 32U) | load_be32(last.bytes, 4);
  std::uint32_t nanoseconds = load_be32(last.bytes, 8) + step;
  if (nanoseconds >= second) {
    nanoseconds = 0;
    ++seconds;
  }
  return make(seconds, nanoseconds);
}

}  // namespace

Tai64n Tai64n::of(WallTime wall) noexcept {
  const auto since_epoch =
      static_cast<std::uint64_t>(std::max(wall.since_epoch, Duration::zero()).count());
  const auto nanoseconds = static_cast<std::uint32_t>(since_epoch % second);
  return make(epoch + since_epoch / second, nanoseconds & ~(step - 1));
}

Tai64n timestamp_after(const Tai64n& last, WallTime wall) noexcept {
  const Tai64n at = Tai64n::of(wall);
  return at > last ? at : next_step(last);
}

}  // namespace tw::wg
