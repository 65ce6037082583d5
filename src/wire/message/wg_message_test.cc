#include "wire/message/wg_message.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <vector>

namespace tw {
namespace {

/// A datagram of the type whose byte at offset i is i (mod 256), so that a field shows its place.
std::vector<std::uint8_t> datagram_of(std::uint8_t type, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  constexpr std::array<std::uint8_t, 3> reserved{};
  bytes[0] = type;
  std::copy(reserved.begin(), reserved.end(), bytes.begin() + 1);
  return bytes;
}

TEST(WgMessage, ClassifyTakesExactlyTheRightLengths) {
  for (std::size_t size = 4; size < 200; ++size) {
    EXPECT_EQ(classify(datagram_of(1, size)) == WgType::initiation, size == 148) << size;
    EXPECT_EQ(classify(datagram_of(2, size)) == WgType::response, size == 92) << size;
    EXPECT_EQ(classify(datagram_of(3, size)) == WgType::cookie_reply, size == 64) << size;
    EXPECT_EQ(classify(datagram_of(4, size)) == WgType::data, size >= 32) << size;
    EXPECT_FALSE(classify(datagram_of(0, size)));
    EXPECT_FALSE(classify(datagram_of(5, size)));
    EXPECT_FALSE(classify(datagram_of(255, size)));
  }
  for (std::size_t size = 0; size < 4; ++size) {
    EXPECT_FALSE(classify(std::vector<std::uint8_t>(size, 1)));
  }
}

TEST(WgMessage, ReservedBytesMustBeZero) {
  for (const auto& [type, size] :
       {std::pair<std::uint8_t, std::size_t>{1, 148}, {2, 92}, {3, 64}, {4, 32}}) {
    for (std::size_t at = 1; at < 4; ++at) {
      auto bytes = datagram_of(type, size);
      bytes[at] = 1;
      EXPECT_FALSE(classify(bytes));
    }
  }
}

TEST(WgMessage, DataHeaderRoundTripIsLittleEndian) {
  std::vector<std::uint8_t> bytes(wg_data_min_size + 3);
  write_wg_data_header(std::span(bytes).first<wg_data_header_size>(), 0x01020304,
                       0x1112131415161718);
  const std::vector<std::uint8_t> expected{4,    0,    0,    0,    4,    3,    2,    1,
                                           0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), bytes.begin()));
  ASSERT_EQ(classify(bytes), WgType::data);
  const WgDataView view = WgDataView::of(bytes);
  EXPECT_EQ(view.receiver_index, 0x01020304U);
  EXPECT_EQ(view.counter, 0x1112131415161718U);
  EXPECT_EQ(view.sealed.data(), bytes.data() + 16);
  EXPECT_EQ(view.sealed.size(), bytes.size() - 16);
}

TEST(WgMessage, InitiationFieldsAreWhereTheWhitepaperPutsThem) {
  const auto bytes = datagram_of(1, wg_initiation_size);
  const auto view = WgInitiationView::of(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->sender_index, 0x07060504U);
  EXPECT_EQ(view->ephemeral.data(), bytes.data() + 8);
  EXPECT_EQ(view->sealed_static.data(), bytes.data() + 40);
  EXPECT_EQ(view->sealed_timestamp.data(), bytes.data() + 88);
  EXPECT_EQ(view->mac1.data(), bytes.data() + 116);
  EXPECT_EQ(view->mac2.data(), bytes.data() + 132);
  EXPECT_EQ(view->before_mac1.size(), 116U);
  EXPECT_EQ(view->before_mac2.size(), 132U);
}

TEST(WgMessage, ResponseFieldsAreWhereTheWhitepaperPutsThem) {
  const auto bytes = datagram_of(2, wg_response_size);
  const auto view = WgResponseView::of(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->sender_index, 0x07060504U);
  EXPECT_EQ(view->receiver_index, 0x0b0a0908U);
  EXPECT_EQ(view->ephemeral.data(), bytes.data() + 12);
  EXPECT_EQ(view->sealed_nothing.data(), bytes.data() + 44);
  EXPECT_EQ(view->mac1.data(), bytes.data() + 60);
  EXPECT_EQ(view->mac2.data(), bytes.data() + 76);
  EXPECT_EQ(view->before_mac1.size(), 60U);
  EXPECT_EQ(view->before_mac2.size(), 76U);
}

TEST(WgMessage, CookieReplyFieldsAreWhereTheWhitepaperPutsThem) {
  const auto bytes = datagram_of(3, wg_cookie_reply_size);
  const auto view = WgCookieReplyView::of(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->receiver_index, 0x07060504U);
  EXPECT_EQ(view->nonce.data(), bytes.data() + 8);
  EXPECT_EQ(view->sealed_cookie.data(), bytes.data() + 32);
}

TEST(WgMessage, ViewsRefuseOtherTypesAndTruncations) {
  for (const auto& [type, size] :
       {std::pair<std::uint8_t, std::size_t>{1, 148}, {2, 92}, {3, 64}, {4, 32}}) {
    const auto whole = datagram_of(type, size);
    EXPECT_EQ(WgInitiationView::of(whole).has_value(), type == 1);
    EXPECT_EQ(WgResponseView::of(whole).has_value(), type == 2);
    EXPECT_EQ(WgCookieReplyView::of(whole).has_value(), type == 3);
    for (std::size_t cut = 0; cut < size; ++cut) {
      const std::vector<std::uint8_t> part(whole.begin(), whole.begin() + static_cast<long>(cut));
      EXPECT_FALSE(WgInitiationView::of(part));
      EXPECT_FALSE(WgResponseView::of(part));
      EXPECT_FALSE(WgCookieReplyView::of(part));
      EXPECT_FALSE(classify(part));
    }
  }
}

}  // namespace
}  // namespace tw
