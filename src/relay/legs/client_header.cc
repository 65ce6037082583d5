#include "relay/legs/client_header.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "wire/message/proxy_v2.h"

namespace tw::relay {

FirstBytes client_header(const LegRequest& request, ByteView tlvs) {
  std::array<std::uint8_t, FirstBytes::capacity> header;
  const std::size_t size = write_proxy_header(
      {.local = false, .source = request.client, .target = request.target}, header, tlvs);
  TW_ASSERT(size > 0);  // with so few TLVs it always fits
  return ByteView{header}.first(size);
}

}  // namespace tw::relay
