#include "machine/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "machine/netlink/netlink_socket.h"

namespace tw {
namespace {

constexpr int message(int type) noexcept { return NFNL_SUBSYS_CTNETLINK << 8 | type; }
constexpr int most_passes = 10;

nfgenmsg header_of(std::uint8_t family) noexcept {
  return {.nfgen_family = family, .version = NFNETLINK_V0, .res_id = 0};
}

using Octets = std::vector<std::uint8_t>;

Octets payload(const nlattr* attribute) {
  const auto* first = static_cast<const std::uint8_t*>(nla_data(attribute));
  return {first, first + nla_len(attribute)};
}

// The name of an entry: the kernel's own words for it, given back as they came.
struct Entry {
  std::uint8_t family = 0;
  Octets tuple, id, zone;
};

std::optional<IpAddress> address_in(const nlattr* attribute, int size) {
  if (attribute == nullptr || nla_len(attribute) != size) return std::nullopt;
  return IpAddress::from_bytes(
      {static_cast<const std::uint8_t*>(nla_data(attribute)), static_cast<std::size_t>(size)});
}

std::uint16_t port_in(const nlattr* attribute) {
  if (attribute == nullptr || nla_len(attribute) != 2) return 0;
  const auto* octets = static_cast<const std::uint8_t*>(nla_data(attribute));
  return static_cast<std::uint16_t>(octets[0] << 8 | octets[1]);
}

const nlattr* within(const nlattr* nest, int attribute) {
  return nla_find(static_cast<const nlattr*>(nla_data(nest)), nla_len(nest), attribute);
}

std::optional<TrackedFlow> flow_of(const nlattr* tuple, std::uint8_t family) {
  const nlattr* const addresses = within(tuple, CTA_TUPLE_IP);
  const nlattr* const ports = within(tuple, CTA_TUPLE_PROTO);
  if (addresses == nullptr || ports == nullptr) return std::nullopt;
  const bool v4 = family == AF_INET;
  const int size = v4 ? 4 : 16;
  const auto source = address_in(within(addresses, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC), size);
  const auto target = address_in(within(addresses, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST), size);
  const nlattr* const number = within(ports, CTA_PROTO_NUM);
  if (!source || !target || number == nullptr || nla_len(number) != 1) return std::nullopt;
  return TrackedFlow{.source = {*source, port_in(within(ports, CTA_PROTO_SRC_PORT)), 0},
                     .target = {*target, port_in(within(ports, CTA_PROTO_DST_PORT)), 0},
                     .protocol = nla_get_u8(number)};
}

Octets payload_of(nlmsghdr* reply, int attribute) {
  const nlattr* const found = nlmsg_find_attr(reply, sizeof(nfgenmsg), attribute);
  return found == nullptr ? Octets{} : payload(found);
}

std::optional<Entry> entry_to_end(nlmsghdr* reply, const Conntrack::Judge& ends) {
  const auto family = static_cast<const nfgenmsg*>(nlmsg_data(reply))->nfgen_family;
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  const nlattr* const tuple = nlmsg_find_attr(reply, sizeof(nfgenmsg), CTA_TUPLE_ORIG);
  if (tuple == nullptr) return std::nullopt;
  const auto flow = flow_of(tuple, family);
  if (!flow || !ends(*flow)) return std::nullopt;
  return Entry{.family = family,
               .tuple = payload(tuple),
               .id = payload_of(reply, CTA_ID),
               .zone = payload_of(reply, CTA_ZONE)};
}

}  // namespace

void Conntrack::Freed::operator()(nl_sock* socket) const noexcept { nl_socket_free(socket); }

Conntrack::Conntrack(std::unique_ptr<nl_sock, Freed> socket) noexcept
    : socket_(std::move(socket)) {}

Result<Conntrack> Conntrack::open() {
  std::unique_ptr<nl_sock, Freed> socket{nl_socket_alloc()};
  TW_ASSERT(socket != nullptr);
  if (const int connected = nl_connect(socket.get(), NETLINK_NETFILTER); connected < 0) {
    return make_error(Error::Kind::unavailable,
                      std::string{"connection tracking: "} + nl_geterror(connected));
  }
  return Conntrack{std::move(socket)};
}

Result<std::size_t> Conntrack::end_flows(const Judge& ends) {
  std::size_t ended = 0;
  for (int pass = 0; pass < most_passes; ++pass) {
    const auto more = end_flows_once(ends);
    if (!more) return std::unexpected(more.error());
    if (*more == 0) break;
    ended += *more;
  }
  return ended;
}

Result<std::size_t> Conntrack::end_flows_once(const Judge& ends) {
  std::vector<Entry> entries;
  Request list(message(IPCTNL_MSG_CT_GET), NLM_F_DUMP, header_of(AF_UNSPEC));
  bool interrupted = false;
  const auto listed = exchange(
      *socket_, list,
      [&](nlmsghdr* reply) {
        if (auto entry = entry_to_end(reply, ends)) entries.push_back(*std::move(entry));
      },
      "list the tracked connections", interrupted);
  if (!listed) return std::unexpected(listed.error());
  std::size_t ended = 0;
  for (const Entry& entry : entries) {
    Request request(message(IPCTNL_MSG_CT_DELETE), 0, header_of(entry.family));
    request.bytes(CTA_TUPLE_ORIG | NLA_F_NESTED, entry.tuple);
    if (!entry.id.empty()) request.bytes(CTA_ID, entry.id);
    if (!entry.zone.empty()) request.bytes(CTA_ZONE, entry.zone);
    const auto deleted =
        exchange(*socket_, request, [](nlmsghdr*) {}, "end a tracked connection", interrupted);
    if (deleted) {
      ++ended;
    } else if (deleted.error().os_errno != ENOENT) {  // ENOENT: it has ended by itself
      return std::unexpected(deleted.error());
    }
  }
  return ended;
}

}  // namespace tw
