#include "crypto/stack.h"

#include <array>
#include <cstdint>

#include "crypto/secret.h"

namespace tw::crypto {

// Not inline: its frame must be where those of the functions before were.
[[gnu::noinline]] void wipe_stack() noexcept {
  constexpr std::size_t depth = std::size_t{128} << 10U;
  std::array<std::uint8_t, depth> frames;  // not set: wipe() does that, and is never left out
  wipe(frames);
}

}  // namespace tw::crypto
