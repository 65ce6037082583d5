#include "wire/message/route_message.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace tw {
namespace {

constexpr std::uint16_t rta_ip_proto = 27, rta_sport = 28, rta_dport = 29;  // Linux 4.18
constexpr std::uint32_t fib_match = 0x2000;                                 // RTM_F_FIB_MATCH

template <typename Integer>
ByteView view_of(const Integer& value) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

template <typename T>
std::optional<T> read(ByteView bytes) noexcept {
  T value{};
  if (bytes.size() < sizeof value) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// Calls visit(type, value) for each attribute of a list; stops where the list does not hold water.
template <typename Visitor>
void each_attribute(ByteView list, Visitor&& visit) {
  while (const auto attribute = read<rtattr>(list)) {
    if (attribute->rta_len < sizeof(rtattr) || attribute->rta_len > list.size()) return;
    visit(attribute->rta_type, list.first(attribute->rta_len).subspan(RTA_LENGTH(0)));
    list = list.subspan(std::min<std::size_t>(RTA_ALIGN(attribute->rta_len), list.size()));
  }
}

RouteAnswer answer_of(const rtmsg& route, ByteView attributes) noexcept {
  RouteAnswer answer;
  answer.type = route.rtm_type;
  each_attribute(attributes, [&](std::uint16_t type, ByteView value) {
    if (type == RTA_OIF) answer.device_index = read<std::uint32_t>(value).value_or(0);
    if (type == RTA_GATEWAY || type == RTA_VIA) answer.has_gateway = true;
    if (type == RTA_METRICS) {
      each_attribute(value, [&](std::uint16_t metric, ByteView number) {
        if (metric == RTAX_MTU) answer.mtu = read<std::uint32_t>(number).value_or(0);
      });
    }
    if (type == RTA_CACHEINFO) {
      const auto cache = read<rta_cacheinfo>(value);
      answer.is_learned = cache && cache->rta_expires != 0;
    }
  });
  return answer;
}

}  // namespace

RouteRequest::RouteRequest(const RouteQuestion& question, std::uint32_t sequence) noexcept {
  size_ = NLMSG_LENGTH(sizeof(rtmsg));
  rtmsg route{};
  route.rtm_family = question.target.is_v4() ? AF_INET : AF_INET6;
  route.rtm_dst_len = static_cast<std::uint8_t>(question.target.bits());
  if (question.as_configured) route.rtm_flags |= fib_match;
  add(RTA_DST, question.target.bytes());
  if (question.source) {
    TW_ASSERT(question.source->family() == question.target.family());
    route.rtm_src_len = static_cast<std::uint8_t>(question.source->bits());
    add(RTA_SRC, question.source->bytes());
  }
  if (question.device_index != 0) add(RTA_OIF, view_of(question.device_index));
  if (question.mark != 0) add(RTA_MARK, view_of(question.mark));
  if (question.udp_target != 0) {
    const std::uint8_t udp = IPPROTO_UDP;
    const std::uint16_t from = htons(question.udp_source), to = htons(question.udp_target);
    add(rta_ip_proto, view_of(udp));
    if (from != 0) add(rta_sport, view_of(from));
    add(rta_dport, view_of(to));
  }
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(size_);
  header.nlmsg_type = RTM_GETROUTE;
  header.nlmsg_flags = NLM_F_REQUEST;
  header.nlmsg_seq = sequence;
  std::memcpy(bytes_.data(), &header, sizeof header);
  std::memcpy(bytes_.data() + NLMSG_HDRLEN, &route, sizeof route);
}

void RouteRequest::add(std::uint16_t type, ByteView value) noexcept {
  const rtattr attribute{.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size())),
                         .rta_type = type};
  TW_ASSERT(size_ + RTA_SPACE(value.size()) <= bytes_.size());
  std::memcpy(bytes_.data() + size_, &attribute, sizeof attribute);
  std::ranges::copy(value, bytes_.begin() + static_cast<std::ptrdiff_t>(size_ + RTA_LENGTH(0)));
  size_ += RTA_SPACE(value.size());
}

std::optional<std::expected<RouteAnswer, int>> parse_route_answer(ByteView message,
                                                                  std::uint32_t sequence) noexcept {
  const auto header = read<nlmsghdr>(message);
  if (!header || header->nlmsg_seq != sequence || header->nlmsg_len < NLMSG_HDRLEN ||
      header->nlmsg_len > message.size()) {
    return std::nullopt;
  }
  const ByteView body = message.first(header->nlmsg_len).subspan(NLMSG_HDRLEN);
  if (header->nlmsg_type == NLMSG_ERROR) {
    const auto error = read<nlmsgerr>(body);
    constexpr int largest_errno = 4095;  // the kernel's MAX_ERRNO
    const bool is_errno = error && error->error < 0 && error->error >= -largest_errno;
    return std::unexpected(is_errno ? -error->error : EPROTO);
  }
  const auto route = read<rtmsg>(body);
  if (header->nlmsg_type != RTM_NEWROUTE || !route) return std::unexpected(EPROTO);
  return answer_of(*route, body.subspan(std::min(body.size(), NLMSG_ALIGN(sizeof *route))));
}

}  // namespace tw
