#include "relay/leg_header.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace tw::relay {

LegHeader read_leg_header(int socket, bool ended) noexcept {
  using State = LegHeader::State;
  std::array<std::uint8_t, proxy_max_size> buffer;
  const auto peeked = ::recv(socket, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
  if (peeked < 0) {
    const bool empty = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (!empty) return {.state = State::failed, .os_errno = errno};
    return {.state = ended ? State::unused : State::empty};
  }
  if (peeked == 0) return {.state = State::unused};

  const ByteView received{buffer.data(), static_cast<std::size_t>(peeked)};
  const ProxyParse parse = parse_proxy_header(received, ProxyCrc::optional);
  switch (parse.status) {
    case ProxyParse::Status::needs_more:
      return {.state = ended ? State::malformed : State::incomplete};
    case ProxyParse::Status::malformed:
      return {.state = State::malformed};
    case ProxyParse::Status::complete:
      break;
  }
  const auto flags = find_proxy_tlv(parse.tlvs, leg_tlv);
  const bool fast_open = flags && !flags->empty() && ((*flags)[0] & leg_tlv_fast_open) != 0;
  // These bytes are in the socket: taking them can neither block nor stop short.
  const auto taken = ::recv(socket, buffer.data(), parse.length, MSG_DONTWAIT);
  if (taken != static_cast<ssize_t>(parse.length)) {
    return {.state = State::failed, .os_errno = taken < 0 ? errno : EIO};
  }
  return {.state = State::complete, .header = parse.header, .fast_open = fast_open};
}

}  // namespace tw::relay
