#include "machine/nft/fields.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <string>

namespace tw::nft {
namespace {

// Offsets are those of RFC 791, 8200, 9293, 768, 792 and 4443.
constexpr std::array fields{
    Field{"iif", Type::iface_index, Source::meta, NFT_META_IIF},
    Field{"oif", Type::iface_index, Source::meta, NFT_META_OIF},
    Field{"iifname", Type::ifname, Source::meta, NFT_META_IIFNAME},
    Field{"oifname", Type::ifname, Source::meta, NFT_META_OIFNAME},
    Field{"meta mark", Type::mark, Source::meta, NFT_META_MARK},
    Field{"mark", Type::mark, Source::meta, NFT_META_MARK},
    Field{"meta nfproto", Type::nfproto, Source::meta, NFT_META_NFPROTO},
    Field{"meta l4proto", Type::inet_proto, Source::meta, NFT_META_L4PROTO},
    Field{"ct state", Type::ct_state, Source::conntrack, NFT_CT_STATE},
    Field{"ct status", Type::ct_status, Source::conntrack, NFT_CT_STATUS},
    Field{"ct direction", Type::ct_dir, Source::conntrack, NFT_CT_DIRECTION},
    Field{"ct mark", Type::mark, Source::conntrack, NFT_CT_MARK},
    Field{"ip saddr", Type::ipv4_addr, Source::network_header, 12, NFPROTO_IPV4},
    Field{"ip daddr", Type::ipv4_addr, Source::network_header, 16, NFPROTO_IPV4},
    Field{"ip6 saddr", Type::ipv6_addr, Source::network_header, 8, NFPROTO_IPV6},
    Field{"ip6 daddr", Type::ipv6_addr, Source::network_header, 24, NFPROTO_IPV6},
    Field{"tcp sport", Type::inet_service, Source::transport_header, 0, 0, IPPROTO_TCP},
    Field{"tcp dport", Type::inet_service, Source::transport_header, 2, 0, IPPROTO_TCP},
    Field{"tcp flags", Type::tcp_flag, Source::transport_header, 13, 0, IPPROTO_TCP},
    Field{"udp sport", Type::inet_service, Source::transport_header, 0, 0, IPPROTO_UDP},
    Field{"udp dport", Type::inet_service, Source::transport_header, 2, 0, IPPROTO_UDP},
    Field{"th sport", Type::inet_service, Source::transport_header, 0},
    Field{"th dport", Type::inet_service, Source::transport_header, 2},
    Field{"icmp type", Type::icmp_type, Source::transport_header, 0, 0, IPPROTO_ICMP},
    Field{"icmpv6 type", Type::icmpv6_type, Source::transport_header, 0, 0, IPPROTO_ICMPV6},
    Field{"socket transparent", Type::boolean, Source::socket, NFT_SOCKET_TRANSPARENT},
    Field{"socket wildcard", Type::boolean, Source::socket, NFT_SOCKET_WILDCARD},
    Field{"socket mark", Type::mark, Source::socket, NFT_SOCKET_MARK},
    Field{"fib saddr type", Type::fib_addrtype, Source::fib, NFTA_FIB_F_SADDR},
    Field{"fib daddr type", Type::fib_addrtype, Source::fib, NFTA_FIB_F_DADDR},
};

constexpr std::size_t longest_words = 3;

void load_payload(const Field& field, Attributes& list) {
  add_expression(list, "payload", [&](Attributes& data) {
    data.number(NFTA_PAYLOAD_DREG, register_one);
    data.number(NFTA_PAYLOAD_BASE, field.source == Source::network_header
                                       ? std::uint32_t{NFT_PAYLOAD_NETWORK_HEADER}
                                       : std::uint32_t{NFT_PAYLOAD_TRANSPORT_HEADER});
    data.number(NFTA_PAYLOAD_OFFSET, field.key);
    data.number(NFTA_PAYLOAD_LEN, static_cast<std::uint32_t>(size_of(field.type)));
  });
}

void add_data(Attributes& list, std::uint16_t attribute, ByteView value) {
  const std::size_t nest = list.open_nest(attribute);
  list.bytes(NFTA_DATA_VALUE, value);
  list.close_nest(nest);
}

}  // namespace

const Field* take_field(Cursor& cursor) {
  for (std::size_t count = longest_words; count > 0; --count) {
    std::string words;
    bool quoted = false;
    for (std::size_t i = 0; i < count; ++i) {
      quoted = quoted || cursor.peek(i).quoted;
      words += (i == 0 ? "" : " ") + cursor.peek(i).text;
    }
    if (quoted) continue;
    const auto* found = std::ranges::find(fields, words, &Field::words);
    if (found == fields.end()) continue;
    for (std::size_t i = 0; i < count; ++i) cursor.take();
    return found;
  }
  return nullptr;
}

void load(const Field& field, Attributes& list) {
  switch (field.source) {
    case Source::meta:
      add_expression(list, "meta", [&](Attributes& data) {
        data.number(NFTA_META_KEY, field.key);
        data.number(NFTA_META_DREG, register_one);
      });
      return;
    case Source::conntrack:
      add_expression(list, "ct", [&](Attributes& data) {
        data.number(NFTA_CT_KEY, field.key);
        data.number(NFTA_CT_DREG, register_one);
      });
      return;
    case Source::socket:
      add_expression(list, "socket", [&](Attributes& data) {
        data.number(NFTA_SOCKET_KEY, field.key);
        data.number(NFTA_SOCKET_DREG, register_one);
      });
      return;
    case Source::fib:
      add_expression(list, "fib", [&](Attributes& data) {
        data.number(NFTA_FIB_FLAGS, field.key);
        data.number(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
        data.number(NFTA_FIB_DREG, register_one);
      });
      return;
    case Source::network_header:
    case Source::transport_header:
      load_payload(field, list);
      return;
  }
}

void compare(std::uint32_t operation, ByteView value, Attributes& list) {
  add_expression(list, "cmp", [&](Attributes& data) {
    data.number(NFTA_CMP_SREG, register_one);
    data.number(NFTA_CMP_OP, operation);
    add_data(data, NFTA_CMP_DATA, value);
  });
}

void mask(ByteView mask, ByteView flip, Attributes& list) {
  add_expression(list, "bitwise", [&](Attributes& data) {
    data.number(NFTA_BITWISE_SREG, register_one);
    data.number(NFTA_BITWISE_DREG, register_one);
    data.number(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.size()));
    add_data(data, NFTA_BITWISE_MASK, mask);
    add_data(data, NFTA_BITWISE_XOR, flip);
  });
}

void load_immediate(ByteView value, Attributes& list) {
  add_expression(list, "immediate", [&](Attributes& data) {
    data.number(NFTA_IMMEDIATE_DREG, register_one);
    add_data(data, NFTA_IMMEDIATE_DATA, value);
  });
}

}  // namespace tw::nft
