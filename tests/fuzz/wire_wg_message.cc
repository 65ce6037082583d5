// link: tw_wire
// covers: wire/message/wg_message.cc
// WireGuard messages: a datagram has at most one type, its view agrees with classify(), and every
// field lies inside the datagram.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "wire/message/wg_message.h"

namespace {

void check_inside(tw::ByteView datagram, tw::ByteView field) {
  TW_ASSERT(field.data() >= datagram.data());
  TW_ASSERT(field.data() + field.size() <= datagram.data() + datagram.size());
}

void check_data(std::vector<std::uint8_t> datagram) {
  const auto view = tw::WgDataView::of(datagram);
  check_inside(datagram, view.sealed);
  TW_ASSERT(view.sealed.size() + tw::wg_data_header_size == datagram.size());
  const std::vector<std::uint8_t> before = datagram;
  tw::write_wg_data_header(tw::ByteSpan{datagram}.first<tw::wg_data_header_size>(),
                           view.receiver_index, view.counter);
  TW_ASSERT(datagram == before);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const tw::ByteView datagram{bytes, size};
  const auto type = tw::classify(datagram);
  const auto initiation = tw::WgInitiationView::of(datagram);
  const auto response = tw::WgResponseView::of(datagram);
  const auto cookie_reply = tw::WgCookieReplyView::of(datagram);
  TW_ASSERT(initiation.has_value() == (type == tw::WgType::initiation));
  TW_ASSERT(response.has_value() == (type == tw::WgType::response));
  TW_ASSERT(cookie_reply.has_value() == (type == tw::WgType::cookie_reply));
  if (initiation) {
    for (const tw::ByteView field :
         {tw::ByteView{initiation->ephemeral}, tw::ByteView{initiation->sealed_static},
          tw::ByteView{initiation->sealed_timestamp}, tw::ByteView{initiation->mac1},
          tw::ByteView{initiation->mac2}, initiation->before_mac1, initiation->before_mac2}) {
      check_inside(datagram, field);
    }
  }
  if (response) {
    for (const tw::ByteView field :
         {tw::ByteView{response->ephemeral}, tw::ByteView{response->sealed_nothing},
          tw::ByteView{response->mac1}, tw::ByteView{response->mac2}, response->before_mac1,
          response->before_mac2}) {
      check_inside(datagram, field);
    }
  }
  if (cookie_reply) {
    check_inside(datagram, cookie_reply->nonce);
    check_inside(datagram, cookie_reply->sealed_cookie);
  }
  if (type == tw::WgType::data) check_data({bytes, bytes + size});
  return 0;
}
