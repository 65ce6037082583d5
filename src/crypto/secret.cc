#include "crypto/secret.h"

#include <openssl/crypto.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace tw::crypto {
namespace {

constexpr std::size_t key_text_size = 44;  // 32 bytes: 42 whole characters, one of 4 bits, one '='

/// All ones if low <= character <= high, else zero; without a branch on a secret.
constexpr unsigned between(unsigned character, unsigned low, unsigned high) noexcept {
  return (((character - low) | (high - character)) >> 31U) - 1U;
}

/// 0 to 63, or 64 for a character that is not of the alphabet of RFC 4648, section 4.
constexpr unsigned sextet_of(unsigned character) noexcept {
  unsigned value = 64;
  value ^= between(character, 'A', 'Z') & (64U ^ (character - 'A'));
  value ^= between(character, 'a', 'z') & (64U ^ (character - 'a' + 26U));
  value ^= between(character, '0', '9') & (64U ^ (character - '0' + 52U));
  value ^= between(character, '+', '+') & (64U ^ 62U);
  value ^= between(character, '/', '/') & (64U ^ 63U);
  return value;
}

constexpr char character_of(unsigned sextet) noexcept {
  const unsigned character =
      (between(sextet, 0, 25) & (sextet + 'A')) | (between(sextet, 26, 51) & (sextet - 26U + 'a')) |
      (between(sextet, 52, 61) & (sextet - 52U + '0')) | (between(sextet, 62, 62) & unsigned{'+'}) |
      (between(sextet, 63, 63) & unsigned{'/'});
  return static_cast<char>(character);
}

}  // namespace

void wipe(ByteSpan bytes) noexcept { OPENSSL_cleanse(bytes.data(), bytes.size()); }

bool equal(ByteView left, ByteView right) noexcept {
  if (left.size() != right.size()) return false;
  return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

void random_bytes(ByteSpan out) noexcept {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    TW_ASSERT(got > 0 || errno == EINTR);  // nothing else can fail once the pool is seeded
    if (got > 0) out = out.subspan(static_cast<std::size_t>(got));
  }
}

// The alphabet is walked without secret-dependent branches or table look-ups, as wg(8) does it.
std::optional<std::array<std::uint8_t, 32>> key_from_base64(std::string_view text) noexcept {
  if (text.size() != key_text_size || text.back() != '=') return std::nullopt;
  Secret<33> decoded;
  unsigned invalid = 0;
  for (std::size_t group = 0; group < 11; ++group) {
    unsigned bits = 0;
    for (std::size_t place = 0; place < 4; ++place) {
      const std::size_t at = 4 * group + place;
      const unsigned sextet =
          at == key_text_size - 1 ? 0U : sextet_of(static_cast<unsigned char>(text[at]));
      invalid |= sextet & 64U;
      bits = (bits << 6U) | (sextet & 63U);
    }
    for (std::size_t place = 0; place < 3; ++place) {
      decoded.span()[3 * group + place] = static_cast<std::uint8_t>(bits >> (16U - 8U * place));
    }
  }
  invalid |= decoded.span()[32];  // bits beyond the 256th: another text for the same key
  if (invalid != 0) return std::nullopt;
  std::array<std::uint8_t, 32> key{};
  std::copy_n(decoded.span().begin(), key.size(), key.begin());
  return key;
}

std::string key_to_base64(ByteView key) {
  TW_ASSERT(key.size() == 32);
  std::string text(key_text_size, '=');
  for (std::size_t at = 0; at < key_text_size - 1; ++at) {
    const std::size_t bit = 6 * at;
    const unsigned high = key[bit / 8];
    const unsigned low = bit / 8 + 1 < key.size() ? key[bit / 8 + 1] : 0U;
    text[at] = character_of((((high << 8U) | low) >> (10U - bit % 8)) & 63U);
  }
  return text;
}

}  // namespace tw::crypto

std::size_t std::hash<tw::crypto::PublicKey>::operator()(
    const tw::crypto::PublicKey& key) const noexcept {
  // Tables hold configured peers only, so nobody outside chooses what collides in them.
  std::size_t value = 0;
  std::memcpy(&value, key.bytes.data(), sizeof value);
  return value;
}
