// link: tw_relay
// covers: relay/legs/leg_header.cc wire/message/proxy_v2.cc
// Reads what another PoP may send at the start of a leg, and what may come back as an answer:
// not a byte is taken but the header, or the answer.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "leg_pair.h"
#include "relay/legs/leg_header.h"

namespace {

using tw::testing::LegPair, tw::testing::leg_with;
using State = tw::relay::LegHeader::State;

// Returns the number of bytes that are left in the socket.
std::size_t rest_of(const LegPair& pair) {
  std::array<std::uint8_t, 4096> rest;
  const auto count = ::recv(pair.ours.get(), rest.data(), rest.size(), MSG_DONTWAIT);
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const tw::ByteView received{bytes, std::min<std::size_t>(size, 4096)};
  const auto parse = tw::parse_proxy_header(received, tw::ProxyCrc::optional);
  for (const bool ended : {false, true}) {
    const LegPair pair = leg_with(received);
    std::uint32_t unskipped = 0;
    const auto header = tw::relay::read_leg_header(pair.ours.get(), ended, unskipped);
    if (tw::relay::looks_like_hello(received) && !received.empty()) {
      // Taken whole, or not at all.
      const bool whole = received.size() >= tw::relay::hello_size;
      TW_ASSERT((header.state == State::hello) == whole && unskipped == 0);
      TW_ASSERT(rest_of(pair) == received.size() - (whole ? tw::relay::hello_size : 0));
      continue;
    }
    const bool complete = header.state == State::complete;
    TW_ASSERT(complete == (parse.status == tw::ProxyParse::Status::complete));
    TW_ASSERT(complete || header.options == tw::relay::LegOptions{});
    // A health check's is taken as it comes.
    const bool taken = complete || parse.header.local;
    const std::size_t gone = taken ? std::min(parse.length, received.size()) : 0;
    TW_ASSERT(rest_of(pair) == received.size() - gone);
    TW_ASSERT(unskipped == (parse.header.local ? parse.length - gone : 0));
  }
  const LegPair pair = leg_with(received);
  int os_errno = 0;
  const auto answer = tw::relay::read_leg_answer(pair.ours.get(), os_errno);
  if (received.empty()) {
    TW_ASSERT(answer == tw::relay::LegAnswer::none);
  } else {
    TW_ASSERT((answer == tw::relay::LegAnswer::connected) ==
              (received[0] == tw::relay::leg_answer_connected));
    TW_ASSERT(rest_of(pair) == received.size() - 1);
  }
  return 0;
}
