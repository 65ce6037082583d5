// link: tw_wire
// covers: wire/message/route_message.cc
// The kernel's answers are trusted, and their lengths are checked all the same.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/assert.h"
#include "wire/message/route_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::uint32_t sequence = 0;
  constexpr std::size_t sequence_at = 8;
  if (size >= sequence_at + sizeof sequence) {
    std::memcpy(&sequence, bytes + sequence_at, sizeof sequence);
  }
  const auto answer = tw::parse_route_answer({bytes, size}, sequence);
  TW_ASSERT(!answer || *answer || answer->error() > 0);
  TW_ASSERT(!tw::parse_route_answer({bytes, size}, sequence + 1));
  return 0;
}
