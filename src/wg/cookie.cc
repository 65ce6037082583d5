#include "wg/cookie.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "wg/protocol.h"
#include "wire/be.h"

namespace tw::wg {
namespace {

constexpr std::string_view mac1_label = "mac1----";
constexpr std::string_view cookie_label = "cookie--";
constexpr std::size_t nonce_offset = 8, sealed_offset = 32;  // of a cookie reply

bool is_zero(ByteView bytes) noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

MacKeys MacKeys::of(const crypto::PublicKey& receiver) noexcept {
  return {crypto::blake2s({as_bytes(mac1_label), receiver.bytes}),
          crypto::SymmetricKey{crypto::blake2s({as_bytes(cookie_label), receiver.bytes})}};
}

bool mac1_valid(const crypto::Hash& key, ByteView message) noexcept {
  if (message.size() <= 2 * sizeof(Mac)) return false;
  const ByteView before = message.first(message.size() - 2 * sizeof(Mac));
  return crypto::equal(crypto::blake2s_mac(key, before),
                       message.subspan(before.size(), sizeof(Mac)));
}

bool has_mac2(ByteView message) noexcept {
  return message.size() > 2 * sizeof(Mac) && !is_zero(message.last(sizeof(Mac)));
}

bool CookieChecker::mac1_valid(ByteView before_mac1, ByteView mac1) const noexcept {
  return crypto::equal(crypto::blake2s_mac(keys_.mac1, before_mac1), mac1);
}

bool CookieChecker::mac2_valid(ByteView before_mac2, ByteView mac2, const Endpoint& from,
                               Instant now) noexcept {
  if (is_zero(mac2) || !secret_live(now)) return false;  // most of a flood, without a hash
  return crypto::equal(crypto::blake2s_mac(cookie_for(from).view(), before_mac2), mac2);
}

Cookie CookieChecker::cookie_for(const Endpoint& from) const noexcept {
  std::array<std::uint8_t, 18> bytes{};
  const ByteView address = from.address.bytes();
  std::copy(address.begin(), address.end(), bytes.begin());
  store_be16(bytes, address.size(), from.port);
  return Cookie{crypto::blake2s_mac(secret_.view(), ByteView{bytes}.first(address.size() + 2))};
}

void CookieChecker::reply(std::uint32_t sender_index, ByteView mac1, const Endpoint& from,
                          Instant now, std::span<std::uint8_t, wg_cookie_reply_size> out) noexcept {
  if (!secret_live(now)) {
    crypto::random_bytes(secret_.span());
    secret_until_ = now + cookie_lifetime;
  }
  store_le32(out, 0, std::to_underlying(WgType::cookie_reply));
  store_le32(out, 4, sender_index);
  crypto::XNonce nonce;
  crypto::random_bytes(nonce);
  std::copy(nonce.begin(), nonce.end(), out.begin() + nonce_offset);
  crypto::xseal(keys_.cookie, nonce, cookie_for(from).view(), mac1, out.subspan<sealed_offset>());
}

void CookieChecker::tick(Instant now) noexcept {
  if (secret_until_ == Instant{} || secret_live(now)) return;
  crypto::wipe(secret_.span());
  secret_until_ = Instant{};
}

Instant CookieChecker::next_deadline() const noexcept {
  return secret_until_ == Instant{} ? Instant::max() : secret_until_;
}

void CookieJar::add_macs(ByteSpan message, const MacKeys& receiver, Instant now) noexcept {
  TW_ASSERT(message.size() > 2 * sizeof(Mac));
  const ByteSpan mac1 = message.subspan(message.size() - 2 * sizeof(Mac), sizeof(Mac));
  const ByteSpan mac2 = message.last(sizeof(Mac));
  last_mac1_ = crypto::blake2s_mac(receiver.mac1, message.first(message.size() - 2 * sizeof(Mac)));
  std::copy(last_mac1_.begin(), last_mac1_.end(), mac1.begin());
  awaits_reply_ = true;

  Mac second{};
  if (now < cookie_until_) {
    second = crypto::blake2s_mac(cookie_.view(), message.first(message.size() - sizeof(Mac)));
  }
  std::copy(second.begin(), second.end(), mac2.begin());
}

bool CookieJar::consume(const WgCookieReplyView& reply, const MacKeys& receiver,
                        Instant now) noexcept {
  if (!awaits_reply_) return false;
  crypto::XNonce nonce;
  std::copy(reply.nonce.begin(), reply.nonce.end(), nonce.begin());
  Cookie cookie;
  if (!crypto::xopen(receiver.cookie, nonce, reply.sealed_cookie, last_mac1_, cookie.span())) {
    return false;
  }
  cookie_ = cookie;
  cookie_until_ = now + (cookie_lifetime - cookie_latency);
  awaits_reply_ = false;
  return true;
}

}  // namespace tw::wg
