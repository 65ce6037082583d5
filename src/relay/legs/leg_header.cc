#include "relay/legs/leg_header.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tw::relay {
namespace {

constexpr std::uint8_t leg_tlv = 0xe0, leg_tlv_fast_open = 0x01, leg_tlv_answer = 0x02;

bool may_come_later(int code) noexcept {
  return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

// The rest of a LOCAL header. Its sender may have filled our window: no byte is left lying.
LegHeader skip_local(int socket, bool ended, std::uint32_t& unskipped) noexcept {
  using State = LegHeader::State;
  std::array<std::uint8_t, proxy_max_size> buffer;
  while (unskipped > 0) {
    const auto most = std::min<std::size_t>(unskipped, buffer.size());
    const auto taken = ::recv(socket, buffer.data(), most, MSG_DONTWAIT);
    if (taken < 0 && !may_come_later(errno)) return {.state = State::failed, .os_errno = errno};
    if (taken <= 0) {
      const bool cut_off = ended || taken == 0;
      return {.state = cut_off ? State::malformed : State::incomplete};
    }
    unskipped -= static_cast<std::uint32_t>(taken);
  }
  LegHeader header{.state = State::complete};
  header.header.local = true;
  return header;
}

// These bytes are in the socket: taking them can neither block nor stop short.
bool take(int socket, LegHeader& header, std::size_t size) noexcept {
  const auto taken = ::recv(socket, header.bytes.data(), size, MSG_DONTWAIT);
  if (taken == static_cast<ssize_t>(size)) return true;
  header = {.state = LegHeader::State::failed, .os_errno = taken < 0 ? errno : EIO};
  return false;
}

// `header` has the first bytes, as far as they are here.
LegHeader take_hello(int socket, bool ended, LegHeader header, std::size_t received) noexcept {
  using State = LegHeader::State;
  if (received < hello_size) return {.state = ended ? State::malformed : State::incomplete};
  if (!take(socket, header, hello_size)) return header;
  header.state = State::hello;
  header.size = hello_size;
  header.proof = read_proof(header.view(), header.view().subspan(hello_tlvs_at));
  return header;
}

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

LegHeader read_leg_header(int socket, bool ended, std::uint32_t& unskipped) noexcept {
  using State = LegHeader::State;
  if (unskipped > 0) return skip_local(socket, ended, unskipped);
  LegHeader header;
  const auto peeked =
      ::recv(socket, header.bytes.data(), header.bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (peeked < 0) {
    if (!may_come_later(errno)) return {.state = State::failed, .os_errno = errno};
    return {.state = ended ? State::unused : State::empty};
  }
  if (peeked == 0) return {.state = State::unused};

  const ByteView received = ByteView{header.bytes}.first(static_cast<std::size_t>(peeked));
  if (looks_like_hello(received)) return take_hello(socket, ended, header, received.size());
  const ProxyParse parse = parse_proxy_header(received, ProxyCrc::optional);
  if (parse.header.local) {
    unskipped = static_cast<std::uint32_t>(parse.length);
    return skip_local(socket, ended, unskipped);
  }
  switch (parse.status) {
    case ProxyParse::Status::needs_more:
      return {.state = ended ? State::malformed : State::incomplete};
    case ProxyParse::Status::malformed:
      return {.state = State::malformed};
    case ProxyParse::Status::complete:
      break;
  }
  header.state = State::complete;
  header.size = parse.length;
  header.header = parse.header;
  header.options = read_leg_options(parse.tlvs);
  header.proof = read_proof(header.view(), parse.tlvs);
  take(socket, header, parse.length);
  return header;
}

AnswerProofReader::State AnswerProofReader::read(int socket) noexcept {
  while (size < bytes.size()) {
    const auto taken = ::recv(socket, bytes.data() + size, bytes.size() - size, MSG_DONTWAIT);
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0 && may_come_later(errno)) return State::incomplete;
    if (taken < 0) os_errno = errno;
    if (taken <= 0) return taken == 0 ? State::ended : State::failed;
    size += static_cast<std::size_t>(taken);
  }
  return State::complete;
}

LegAnswer read_leg_answer(int socket, int& os_errno) noexcept {
  std::uint8_t answer = 0;
  const auto taken = ::recv(socket, &answer, 1, MSG_DONTWAIT);
  os_errno = 0;
  if (taken == 1 && answer == leg_answer_connected) return LegAnswer::connected;
  if (taken < 0 && may_come_later(errno)) return LegAnswer::none;
  if (taken != 0) os_errno = taken < 0 ? errno : EPROTO;
  return LegAnswer::failed;
}

}  // namespace tw::relay
