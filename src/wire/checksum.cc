#include "wire/checksum.h"

#include <array>
#include <cstring>

#include "base/assert.h"
#include "wire/be.h"

namespace tw {
namespace {

/// Adds with end-around carry on four independent chains, so that additions overlap.
struct Chains {
  std::array<std::uint64_t, 4> sum{};
  std::array<std::uint64_t, 4> carries{};

  void add(std::size_t chain, std::uint64_t word) noexcept {
    sum[chain] += word;
    carries[chain] += sum[chain] < word ? 1U : 0U;
  }
};

constexpr std::size_t block = 32;

std::uint64_t load_native(const std::uint8_t* at, std::size_t size) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, size);
  return word;
}

}  // namespace

void InternetSum::add(ByteView bytes) noexcept {
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  Chains chains;
  for (; left >= block; left -= block, at += block) {
    for (std::size_t i = 0; i < 4; ++i) chains.add(i, load_native(at + i * 8, 8));
  }
  for (; left >= 8; left -= 8, at += 8) chains.add(0, load_native(at, 8));
  if (left > 0) chains.add(1, load_native(at, left));
  for (std::size_t i = 0; i < 4; ++i) {
    add_native(chains.sum[i]);
    add_native(chains.carries[i]);
  }
}

void InternetSum::add_copying(ByteView from, ByteSpan out) noexcept {
  TW_ASSERT(out.size() >= from.size());
  const std::uint8_t* at = from.data();
  std::uint8_t* to = out.data();
  std::size_t left = from.size();
  Chains chains;
  for (; left >= block; left -= block, at += block, to += block) {
    std::array<std::uint64_t, 4> words;
    std::memcpy(words.data(), at, block);
    std::memcpy(to, words.data(), block);
    for (std::size_t i = 0; i < 4; ++i) chains.add(i, words[i]);
  }
  if (left > 0) std::memcpy(to, at, left);
  for (; left >= 8; left -= 8, at += 8) chains.add(0, load_native(at, 8));
  if (left > 0) chains.add(1, load_native(at, left));
  for (std::size_t i = 0; i < 4; ++i) {
    add_native(chains.sum[i]);
    add_native(chains.carries[i]);
  }
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
