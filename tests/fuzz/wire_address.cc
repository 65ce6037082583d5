// link: tw_wire
// covers: wire/address.cc wire/sockaddr.cc
// Addresses, prefixes and endpoints as text: what is taken prints as something that is taken and
// means the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "wire/address.h"
#include "wire/sockaddr.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text = tw::as_text({bytes, size});
  if (const auto address = tw::IpAddress::parse(text)) {
    TW_ASSERT(tw::IpAddress::parse(address->text()) == address);
    TW_ASSERT(address->unmapped().unmapped() == address->unmapped());
  }
  if (const auto prefix = tw::Prefix::parse(text)) {
    TW_ASSERT(tw::Prefix::parse(prefix->text()) == prefix);
    TW_ASSERT(prefix->contains(prefix->address));
    TW_ASSERT(tw::Prefix::of(prefix->address, prefix->length) == *prefix);
  }
  if (const auto endpoint = tw::Endpoint::parse(text)) {
    TW_ASSERT(tw::Endpoint::parse(endpoint->text()) == endpoint);
    const tw::SocketAddress kernel = tw::to_sockaddr(*endpoint);
    const auto back = tw::from_sockaddr(kernel.get(), kernel.length);
    TW_ASSERT(back && back->address == endpoint->address.unmapped());
    TW_ASSERT(back->port == endpoint->port);
  }
  // The same bytes as a sockaddr of whatever family and length.
  sockaddr_storage storage{};
  const std::size_t taken = size < sizeof storage ? size : sizeof storage;
  std::copy_n(bytes, taken, reinterpret_cast<std::uint8_t*>(&storage));
  (void)tw::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage),
                          static_cast<socklen_t>(taken));
  return 0;
}
