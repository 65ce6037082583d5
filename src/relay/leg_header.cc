#include "relay/leg_header.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace tw::relay {
namespace {

constexpr std::uint8_t leg_tlv = 0xe0, leg_tlv_fast_open = 0x01;

}  // namespace

ByteView write_leg_options(const LegOptions& options,
                           std::span<std::uint8_t, leg_tlv_size> out) noexcept {
  if (options == LegOptions{}) return {};
  out[0] = leg_tlv;
  out[1] = 0;
  out[2] = 2;
  out[3] = options.fast_open ? leg_tlv_fast_open : std::uint8_t{0};
  out[4] = options.hops;
  return out;
}

LegOptions read_leg_options(ByteView tlvs) noexcept {
  LegOptions options;
  const auto value = find_proxy_tlv(tlvs, leg_tlv);
  if (!value || value->empty()) return options;
  options.fast_open = ((*value)[0] & leg_tlv_fast_open) != 0;
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

}  // namespace tw::relay
