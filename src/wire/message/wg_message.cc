#include "wire/message/wg_message.h"

#include <algorithm>

#include "base/assert.h"
#include "wire/be.h"

namespace tw {
namespace {

// Offsets of the whitepaper's structs, section 5.4.2 to 5.4.7.
constexpr std::size_t initiation_mac1 = 116, initiation_mac2 = 132;
constexpr std::size_t response_mac1 = 60, response_mac2 = 76;

/// `size` bytes from `offset`; the caller has checked the whole length.
template <std::size_t offset, std::size_t size>
Field<size> field(ByteView datagram) noexcept {
  return Field<size>{datagram.subspan(offset, size)};
}

/// The macs' offsets follow from the order of the fields: a wrong number here would not compile.
static_assert(initiation_mac1 == 4 + 4 + 32 + 48 + 28);
static_assert(initiation_mac2 + 16 == wg_initiation_size);
static_assert(response_mac1 == 4 + 4 + 4 + 32 + 16);
static_assert(response_mac2 + 16 == wg_response_size);

}  // namespace

std::optional<WgType> classify(ByteView datagram) noexcept {
  if (datagram.size() < 4) return {};
  // Type and the three reserved bytes are one little-endian word.
  const std::uint32_t word = load_le32(datagram, 0);
  const std::size_t size = datagram.size();
  switch (word) {
    case 1:
      if (size == wg_initiation_size) return WgType::initiation;
      break;
    case 2:
      if (size == wg_response_size) return WgType::response;
      break;
    case 3:
      if (size == wg_cookie_reply_size) return WgType::cookie_reply;
      break;
    case 4:
      if (size >= wg_data_min_size) return WgType::data;
      break;
    default:
      break;
  }
  return {};
}

WgDataView WgDataView::of(ByteSpan datagram) noexcept {
  TW_ASSERT(datagram.size() >= wg_data_min_size);
  return {load_le32(datagram, 4), load_le64(datagram, 8), datagram.subspan(wg_data_header_size)};
}

void write_wg_data_header(std::span<std::uint8_t, wg_data_header_size> out,
                          std::uint32_t receiver_index, std::uint64_t counter) noexcept {
  store_le32(out, 0, 4);
  store_le32(out, 4, receiver_index);
  store_le64(out, 8, counter);
}

std::optional<WgInitiationView> WgInitiationView::of(ByteView datagram) noexcept {
  if (classify(datagram) != WgType::initiation) return {};
  return WgInitiationView{.sender_index = load_le32(datagram, 4),
                          .ephemeral = field<8, 32>(datagram),
                          .sealed_static = field<40, 48>(datagram),
                          .sealed_timestamp = field<88, 28>(datagram),
                          .mac1 = field<initiation_mac1, 16>(datagram),
                          .mac2 = field<initiation_mac2, 16>(datagram),
                          .before_mac1 = datagram.first(initiation_mac1),
                          .before_mac2 = datagram.first(initiation_mac2)};
}

std::optional<WgResponseView> WgResponseView::of(ByteView datagram) noexcept {
  if (classify(datagram) != WgType::response) return {};
  return WgResponseView{.sender_index = load_le32(datagram, 4),
                        .receiver_index = load_le32(datagram, 8),
                        .ephemeral = field<12, 32>(datagram),
                        .sealed_nothing = field<44, 16>(datagram),
                        .mac1 = field<response_mac1, 16>(datagram),
                        .mac2 = field<response_mac2, 16>(datagram),
                        .before_mac1 = datagram.first(response_mac1),
                        .before_mac2 = datagram.first(response_mac2)};
}

std::optional<WgCookieReplyView> WgCookieReplyView::of(ByteView datagram) noexcept {
  if (classify(datagram) != WgType::cookie_reply) return {};
  return WgCookieReplyView{.receiver_index = load_le32(datagram, 4),
                           .nonce = field<8, 24>(datagram),
                           .sealed_cookie = field<32, 32>(datagram)};
}

}  // namespace tw
