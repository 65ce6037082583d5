#include "relay/leg_header.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace tw::relay {
namespace {

constexpr std::uint8_t leg_tlv = 0xe0, leg_tlv_fast_open = 0x01, leg_tlv_answer = 0x02;

}  // namespace

ByteView write_leg_options(const LegOptions& options,
                           std::span<std::uint8_t, leg_tlv_size> out) noexcept {
  if (options == LegOptions{}) return {};
  out[0] = leg_tlv;
  out[1] = 0;
  out[2] = 2;
  out[3] = static_cast<std::uint8_t>((options.fast_open ? leg_tlv_fast_open : 0) |
                                     (options.answer ? leg_tlv_answer : 0));
  out[4] = options.hops;
  return out;
}

LegOptions read_leg_options(ByteView tlvs) noexcept {
  LegOptions options;
  const auto value = find_proxy_tlv(tlvs, leg_tlv);
  if (!value || value->empty()) return options;
  options.fast_open = ((*value)[0] & leg_tlv_fast_open) != 0;
  options.answer = ((*value)[0] & leg_tlv_answer) != 0;
  if (value->size() > 1) options.hops = (*value)[1];
  return options;
}

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
  const LegOptions options = read_leg_options(parse.tlvs);
  // These bytes are in the socket: taking them can neither block nor stop short.
  const auto taken = ::recv(socket, buffer.data(), parse.length, MSG_DONTWAIT);
  if (taken != static_cast<ssize_t>(parse.length)) {
    return {.state = State::failed, .os_errno = taken < 0 ? errno : EIO};
  }
  return {.state = State::complete, .header = parse.header, .options = options};
}

LegAnswer read_leg_answer(int socket, int& os_errno) noexcept {
  std::uint8_t answer = 0;
  const auto taken = ::recv(socket, &answer, 1, MSG_DONTWAIT);
  os_errno = 0;
  if (taken == 1 && answer == leg_answer_connected) return LegAnswer::connected;
  if (taken < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    return LegAnswer::none;
  }
  if (taken != 0) os_errno = taken < 0 ? errno : EPROTO;
  return LegAnswer::failed;
}

}  // namespace tw::relay
