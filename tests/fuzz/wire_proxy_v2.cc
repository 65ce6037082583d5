// link: tw_wire
// covers: wire/message/proxy_v2.cc
// PROXY v2 headers: what is taken can be written again and is read back the same; a cut header asks
// for more and never changes its mind about what is wrong.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "wire/message/proxy_v2.h"

namespace {

using Status = tw::ProxyParse::Status;

std::size_t longest(const tw::ProxyParse& parse) {
  return parse.header.local ? tw::proxy_local_max_size : tw::proxy_max_size;
}

void check_prefixes(tw::ByteView received, const tw::ProxyParse& whole) {
  const std::size_t end = std::min<std::size_t>(received.size(), tw::proxy_max_size);
  for (std::size_t cut = 0; cut < end; ++cut) {
    const auto parse = tw::parse_proxy_header(received.first(cut), tw::ProxyCrc::optional);
    if (parse.status == Status::needs_more) {
      TW_ASSERT(parse.length > cut);
      TW_ASSERT(parse.length <= longest(parse));
    } else if (parse.status == Status::complete) {
      TW_ASSERT(whole.status == Status::complete && whole.length == parse.length);
    } else {
      TW_ASSERT(whole.status == Status::malformed);
    }
  }
}

void check_rewritten(const tw::ProxyHeader& header) {
  std::array<std::uint8_t, tw::proxy_max_size> out{};
  const std::size_t written = tw::write_proxy_header(header, out);
  TW_ASSERT(written > 0);
  const auto again =
      tw::parse_proxy_header(tw::ByteView{out}.first(written), tw::ProxyCrc::required);
  TW_ASSERT(again.status == Status::complete && again.length == written);
  TW_ASSERT(again.header == header);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const tw::ByteView received{bytes, size};
  const auto parse = tw::parse_proxy_header(received, tw::ProxyCrc::optional);
  const auto strict = tw::parse_proxy_header(received, tw::ProxyCrc::required);
  TW_ASSERT(strict.status != Status::complete || parse.status == Status::complete);
  check_prefixes(received, parse);
  if (parse.status != Status::complete) return 0;
  TW_ASSERT(parse.length <= size && parse.length <= longest(parse));
  TW_ASSERT(!parse.header.local || parse.tlvs.empty());
  TW_ASSERT((strict.status == Status::complete) ==
            (parse.header.local || tw::find_proxy_tlv(parse.tlvs, 0x03).has_value()));
  check_rewritten(parse.header);
  return 0;
}
