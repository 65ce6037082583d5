#include "wire/checksum.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <array>
#include <cstring>

#include "base/assert.h"
#include "wire/be.h"

namespace tw {
namespace {

std::uint64_t load_native(const std::uint8_t* at, std::size_t size) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, size);
  return word;
}

std::uint64_t folded_once(std::uint64_t sum) noexcept { return (sum >> 32U) + (sum & 0xffffffffU); }

/// Returns the sum of one pass over a multiple of `block` bytes: the bytes as 32-bit words, in 64
/// bits, where 2^32 of them fit without a carry. If `out` is given, it gets a copy.
using BlockSum = std::uint64_t (*)(const std::uint8_t* from, std::uint8_t* out, std::size_t size);
constexpr std::size_t block = 64;

template <bool copying>
std::uint64_t sum_plain(const std::uint8_t* from, std::uint8_t* out, std::size_t size) {
  std::array<std::uint64_t, 8> sums{};
  for (std::size_t at = 0; at < size; at += block) {
    std::array<std::uint64_t, 8> words;
    std::memcpy(words.data(), from + at, block);
    if constexpr (copying) std::memcpy(out + at, words.data(), block);
    for (std::size_t i = 0; i < words.size(); ++i) sums[i] += folded_once(words[i]);
  }
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += folded_once(sum);
  return total;
}

#if defined(__x86_64__)
/// The same loop with 32-byte vectors: 20 bytes a cycle instead of 8.
template <bool copying>
__attribute__((target("avx2"))) std::uint64_t sum_avx2(const std::uint8_t* from, std::uint8_t* out,
                                                       std::size_t size) {
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  __m256i sum = _mm256_setzero_si256(), other = sum, odd = sum, other_odd = sum;
  for (std::size_t at = 0; at < size; at += block) {
    const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + at));
    const __m256i more = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + at + 32));
    if constexpr (copying) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + at), words);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + at + 32), more);
    }
    sum = _mm256_add_epi64(sum, _mm256_and_si256(words, low));
    odd = _mm256_add_epi64(odd, _mm256_srli_epi64(words, 32));
    other = _mm256_add_epi64(other, _mm256_and_si256(more, low));
    other_odd = _mm256_add_epi64(other_odd, _mm256_srli_epi64(more, 32));
  }
  sum = _mm256_add_epi64(_mm256_add_epi64(sum, other), _mm256_add_epi64(odd, other_odd));
  std::array<std::uint64_t, 4> lanes;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes.data()), sum);
  return folded_once(lanes[0]) + folded_once(lanes[1]) + folded_once(lanes[2]) +
         folded_once(lanes[3]);
}
#endif

template <bool copying>
BlockSum choose() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return sum_avx2<copying>;
#endif
  return sum_plain<copying>;
}

}  // namespace

void InternetSum::add(ByteView bytes) noexcept {
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  if (left >= block) {
    static const BlockSum sum_blocks = choose<false>();
    const std::size_t blocks = left - left % block;
    add_native(sum_blocks(at, nullptr, blocks));
    at += blocks;
    left -= blocks;
  }
  for (; left >= 8; left -= 8, at += 8) add_native(load_native(at, 8));
  // Headers are of so many bytes; what has no fixed length is a call.
  if (left >= 4) {
    add_native(load_native(at, 4));
    at += 4;
    left -= 4;
  }
  if (left > 0) add_native(load_native(at, left));
}

void InternetSum::add_copying(ByteView from, ByteSpan out) noexcept {
  TW_ASSERT(out.size() >= from.size());
  const std::size_t blocks = from.size() - from.size() % block;
  if (blocks > 0) {
    static const BlockSum sum_blocks = choose<true>();
    add_native(sum_blocks(from.data(), out.data(), blocks));
  }
  const ByteView rest = from.subspan(blocks);
  if (rest.empty()) return;
  std::memcpy(out.data() + blocks, rest.data(), rest.size());
  add(rest);
}

void InternetSum::add_number(std::uint16_t host) noexcept {
  add_native(std::bit_cast<std::uint16_t>(Be16{host}));
}

std::uint16_t InternetSum::folded() const noexcept {
  std::uint64_t sum = (native_ >> 32U) + (native_ & 0xffffffffU);
  sum = (sum >> 32U) + (sum & 0xffffffffU);
  sum = (sum >> 16U) + (sum & 0xffffU);
  sum = (sum >> 16U) + (sum & 0xffffU);
  sum = (sum >> 16U) + (sum & 0xffffU);
  return std::bit_cast<Be16>(static_cast<std::uint16_t>(sum)).host();
}

InternetSum pseudo_header_sum(ByteView source, ByteView target, std::uint8_t protocol,
                              std::uint32_t length) noexcept {
  InternetSum sum;
  sum.add(source);
  sum.add(target);
  sum.add_number(protocol);
  sum.add_number(static_cast<std::uint16_t>(length >> 16U));
  sum.add_number(static_cast<std::uint16_t>(length));
  return sum;
}

std::uint16_t updated_checksum(std::uint16_t checksum, std::uint16_t old_word,
                               std::uint16_t new_word) noexcept {
  InternetSum sum;
  sum.add_number(static_cast<std::uint16_t>(~checksum));
  sum.add_number(static_cast<std::uint16_t>(~old_word));
  sum.add_number(new_word);
  return sum.checksum();
}

}  // namespace tw
