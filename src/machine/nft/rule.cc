#include "machine/nft/rule.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace tw::nft {
namespace {

struct NamedVerdict {
  std::string_view name;
  std::int32_t code;
  bool leads_on;
};
constexpr std::array verdicts{
    NamedVerdict{"accept", NF_ACCEPT, false}, NamedVerdict{"drop", NF_DROP, false},
    NamedVerdict{"return", NFT_RETURN, false}, NamedVerdict{"jump", NFT_JUMP, true},
    NamedVerdict{"goto", NFT_GOTO, true}};

// The kernel gives such a set a name of its own.
constexpr std::string_view anonymous_set = "__set%d";

bool is_flag_type(Type type) {
  return type == Type::ct_state || type == Type::ct_status || type == Type::tcp_flag;
}

void combine(Octets& all, const Octets& more) {
  for (std::size_t i = 0; i < all.size(); ++i) all[i] |= more[i];
}

}  // namespace

std::unexpected<Error> RuleReader::wrong(std::string_view what) const {
  return make_error(Error::Kind::config, fmt::format("nftables text: {} at \"{}\" in \"{}\"", what,
                                                     cursor_.peek().text, source_));
}

Result<void> RuleReader::read() {
  while (!cursor_.at_statement_end()) {
    if (Result<void> part = read_part(); !part) return part;
  }
  return {};
}

Result<void> RuleReader::read_part() {
  if (const Result<bool> verdict = read_verdict(); !verdict || *verdict) {
    return verdict ? Result<void>{} : std::unexpected(verdict.error());
  }
  if (const Result<bool> statement = read_statement(); !statement || *statement) {
    return statement ? Result<void>{} : std::unexpected(statement.error());
  }
  return read_match();
}

Result<bool> RuleReader::read_verdict() {
  for (const NamedVerdict& verdict : verdicts) {
    if (!cursor_.accept(verdict.name)) continue;
    add_verdict(verdict.code, verdict.leads_on ? cursor_.take().text : std::string{});
    return true;
  }
  return false;
}

void RuleReader::add_verdict(std::int32_t code, std::string_view chain) {
  add_expression(list_, "immediate", [&](Attributes& data) {
    data.number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    const std::size_t value = data.open_nest(NFTA_IMMEDIATE_DATA);
    const std::size_t verdict = data.open_nest(NFTA_DATA_VERDICT);
    data.number(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code));
    if (!chain.empty()) data.text(NFTA_VERDICT_CHAIN, chain);
    data.close_nest(verdict);
    data.close_nest(value);
  });
}

bool RuleReader::next_is(std::string_view first, std::string_view second) const {
  return cursor_.peek().text == first && cursor_.peek(1).text == second && !cursor_.peek().quoted &&
         !cursor_.peek(1).quoted;
}

Result<bool> RuleReader::read_statement() {
  const auto done = [](Result<void> result) -> Result<bool> {
    if (!result) return std::unexpected(result.error());
    return true;
  };
  if (cursor_.accept("masquerade")) {
    add_expression(list_, "masq", [](Attributes&) {});
    return true;
  }
  if (cursor_.accept("notrack")) {
    add_expression(list_, "notrack", [](Attributes&) {});
    return true;
  }
  if (cursor_.accept("counter")) return done(read_counter());
  if (cursor_.accept("reject")) return done(read_reject());
  if (cursor_.accept("add")) return done(read_counted());
  if (cursor_.accept("tproxy")) return done(read_tproxy());
  if (next_is("tcp", "option")) return done(read_clamp());
  if (next_is("ct", "mark") && cursor_.peek(2).text == "set") return done(read_setting(true));
  if (next_is("meta", "mark") && cursor_.peek(2).text == "set") return done(read_setting(false));
  return false;
}

Result<void> RuleReader::read_counter() {
  if (!cursor_.accept("name")) return wrong("a counter without a name");
  const std::string name = cursor_.take().text;
  add_expression(list_, "objref", [&](Attributes& data) {
    data.number(NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
    data.text(NFTA_OBJREF_IMM_NAME, name);
  });
  return {};
}

Result<void> RuleReader::read_tproxy() {
  if (!cursor_.accept("to")) return wrong("tproxy without \"to\"");
  const std::string port = cursor_.take().text;
  const auto value = parse_range(Type::inet_service, port.starts_with(':') ? port.substr(1) : "");
  if (!value) return wrong("no port");
  load_immediate(value->first, list_);
  add_expression(list_, "tproxy", [](Attributes& data) {
    data.number(NFTA_TPROXY_FAMILY, NFPROTO_UNSPEC);
    data.number(NFTA_TPROXY_REG_PORT, register_one);
  });
  return {};
}

// From host order to that of the network.
void RuleReader::turn_round(std::uint32_t octets) {
  add_expression(list_, "byteorder", [&](Attributes& data) {
    data.number(NFTA_BYTEORDER_SREG, register_one);
    data.number(NFTA_BYTEORDER_DREG, register_one);
    data.number(NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
    data.number(NFTA_BYTEORDER_LEN, octets);
    data.number(NFTA_BYTEORDER_SIZE, octets);
  });
}

// The path's MSS, which the kernel gives in host order, into the option of a SYN.
Result<void> RuleReader::read_clamp() {
  constexpr std::array<std::string_view, 7> words{"tcp", "option", "maxseg", "size",
                                                  "set", "rt",     "mtu"};
  for (const std::string_view word : words) {
    if (!cursor_.accept(word)) return wrong("only \"maxseg size set rt mtu\" is known");
  }
  constexpr std::uint32_t mss_offset = 2, mss_octets = 2;  // RFC 9293, section 3.2
  add_expression(list_, "rt", [](Attributes& data) {
    data.number(NFTA_RT_DREG, register_one);
    data.number(NFTA_RT_KEY, NFT_RT_TCPMSS);
  });
  turn_round(mss_octets);
  add_expression(list_, "exthdr", [](Attributes& data) {
    data.number(NFTA_EXTHDR_SREG, register_one);
    data.byte(NFTA_EXTHDR_TYPE, TCPOPT_MAXSEG);
    data.number(NFTA_EXTHDR_OFFSET, mss_offset);
    data.number(NFTA_EXTHDR_LEN, mss_octets);
    data.number(NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
  });
  return {};
}

Result<void> RuleReader::read_reject() {
  if (!cursor_.accept("with")) return wrong("reject without \"with\"");
  std::uint32_t type = NFT_REJECT_ICMPX_UNREACH;
  std::uint8_t code = 0;
  if (cursor_.accept("tcp")) {
    if (!cursor_.accept("reset")) return wrong("only \"tcp reset\" is known");
    require(NFT_META_L4PROTO, IPPROTO_TCP, l4proto_);
    type = NFT_REJECT_TCP_RST;
  } else if (cursor_.accept("icmpx")) {
    if (cursor_.accept("admin-prohibited")) {
      code = NFT_REJECT_ICMPX_ADMIN_PROHIBITED;
    } else if (cursor_.accept("port-unreachable")) {
      code = NFT_REJECT_ICMPX_PORT_UNREACH;
    } else {
      return wrong("an unknown ICMP error");
    }
  } else {
    return wrong("an unknown way to reject");
  }
  add_expression(list_, "reject", [&](Attributes& data) {
    data.number(NFTA_REJECT_TYPE, type);
    data.byte(NFTA_REJECT_ICMP_CODE, code);
  });
  return {};
}

// "meta mark set VALUE", "… set ct mark", "… set meta mark | VALUE", "… set meta mark & VALUE".
Result<void> RuleReader::read_setting(bool of_conntrack) {
  for (int word = 0; word < 3; ++word) cursor_.take();
  if (const Field* from = take_field(cursor_)) {
    if (from->type != Type::mark) return wrong("a mark is set from no mark");
    load(*from, list_);
    const bool adds = cursor_.accept("|");
    if (adds || cursor_.accept("&")) {
      const Result<Octets> value = read_octets(Type::mark);
      if (!value) return std::unexpected(value.error());
      const Octets none(value->size());
      Octets others = *value;
      for (std::uint8_t& octet : others) octet = static_cast<std::uint8_t>(~octet);
      // or: clear the bits, then flip them.
      mask(adds ? others : *value, adds ? *value : none, list_);
    }
  } else {
    const Result<Octets> value = read_octets(Type::mark);
    if (!value) return std::unexpected(value.error());
    load_immediate(*value, list_);
  }
  add_expression(list_, of_conntrack ? "ct" : "meta", [&](Attributes& data) {
    data.number(of_conntrack ? std::uint16_t{NFTA_CT_KEY} : std::uint16_t{NFTA_META_KEY},
                of_conntrack ? std::uint32_t{NFT_CT_MARK} : std::uint32_t{NFT_META_MARK});
    data.number(of_conntrack ? std::uint16_t{NFTA_CT_SREG} : std::uint16_t{NFTA_META_SREG},
                register_one);
  });
  return {};
}

// "add @SET { FIELD [& MASK] ct count over N }": continues if the field's value has more
// connections than that.
Result<void> RuleReader::read_counted() {
  const std::string set = cursor_.take().text;
  if (!set.starts_with('@') || !cursor_.accept("{")) return wrong("no set to add to");
  const Field* field = take_field(cursor_);
  if (field == nullptr) return wrong("an unknown field");
  presuppose(*field);
  load(*field, list_);
  if (cursor_.accept("&")) {
    const Result<Octets> bits = read_octets(field->type);
    if (!bits) return std::unexpected(bits.error());
    mask(*bits, Octets(bits->size()), list_);
  }
  for (const std::string_view word : {"ct", "count", "over"}) {
    if (!cursor_.accept(word)) return wrong("only \"ct count over\" is known");
  }
  const auto limit = parse_range(Type::mark, cursor_.take().text);
  if (!limit || !cursor_.accept("}")) return wrong("no number of connections");
  std::uint32_t count = 0;
  std::copy(limit->first.begin(), limit->first.end(), reinterpret_cast<std::uint8_t*>(&count));
  add_expression(list_, "dynset", [&](Attributes& data) {
    data.text(NFTA_DYNSET_SET_NAME, std::string_view{set}.substr(1));
    data.number(NFTA_DYNSET_OP, NFT_DYNSET_OP_ADD);
    data.number(NFTA_DYNSET_SREG_KEY, register_one);
    const std::size_t nest = data.open_nest(NFTA_DYNSET_EXPR);
    data.text(NFTA_EXPR_NAME, "connlimit");
    const std::size_t inner = data.open_nest(NFTA_EXPR_DATA);
    data.number(NFTA_CONNLIMIT_COUNT, count);
    data.number(NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
    data.close_nest(inner);
    data.close_nest(nest);
  });
  return {};
}

void RuleReader::require(std::uint32_t meta_key, std::uint8_t value, std::uint8_t& known) {
  if (known == value) return;
  known = value;
  load({{}, Type::nfproto, Source::meta, meta_key}, list_);
  compare(NFT_CMP_EQ, ByteView{&value, 1}, list_);
}

void RuleReader::presuppose(const Field& field) {
  if (field.nfproto != 0 && table_.family == NFPROTO_INET) {
    require(NFT_META_NFPROTO, field.nfproto, nfproto_);
  }
  if (field.l4proto != 0) require(NFT_META_L4PROTO, field.l4proto, l4proto_);
}

Result<void> RuleReader::read_match() {
  const Field* field = take_field(cursor_);
  if (field == nullptr) return wrong("an unknown word");
  presuppose(*field);
  if (cursor_.accept("&")) return read_masked(*field);
  const bool inverted = cursor_.accept("!=");
  if (!inverted) cursor_.accept("==");
  if (!cursor_.peek().quoted && cursor_.peek().text == "{") return read_set(*field, inverted);
  if (!cursor_.peek().quoted && cursor_.peek().text.starts_with('@')) {
    return read_lookup(*field, inverted);
  }
  if (is_flag_type(field->type)) return read_flags(*field, inverted);
  return read_value(*field, inverted);
}

Result<Octets> RuleReader::read_octets(Type type) {
  const auto value = parse_range(type, cursor_.peek().text);
  if (!value || value->first != value->last) return wrong("no value of this kind");
  cursor_.take();
  return value->first;
}

// "& MASK == VALUE", where the mask may be "(a | b)".
Result<void> RuleReader::read_masked(const Field& field) {
  const bool several = cursor_.accept("(");
  Result<Octets> bits = read_octets(field.type);
  while (bits && several && cursor_.accept("|")) {
    const Result<Octets> more = read_octets(field.type);
    if (!more) return std::unexpected(more.error());
    combine(*bits, *more);
  }
  if (!bits) return std::unexpected(bits.error());
  if (several && !cursor_.accept(")")) return wrong("no closing bracket");
  const bool inverted = cursor_.accept("!=");
  if (!inverted && !cursor_.accept("==")) return wrong("no comparison");
  const Result<Octets> value = read_octets(field.type);
  if (!value) return std::unexpected(value.error());
  load(field, list_);
  mask(*bits, Octets(bits->size()), list_);
  compare(inverted ? NFT_CMP_NEQ : NFT_CMP_EQ, *value, list_);
  return {};
}

// "ct state established,related": one of them is set.
Result<void> RuleReader::read_flags(const Field& field, bool inverted) {
  Result<Octets> bits = read_octets(field.type);
  while (bits && cursor_.accept(",")) {
    const Result<Octets> more = read_octets(field.type);
    if (!more) return std::unexpected(more.error());
    combine(*bits, *more);
  }
  if (!bits) return std::unexpected(bits.error());
  load(field, list_);
  const Octets none(bits->size());
  mask(*bits, none, list_);
  compare(inverted ? NFT_CMP_EQ : NFT_CMP_NEQ, none, list_);
  return {};
}

Result<void> RuleReader::read_value(const Field& field, bool inverted) {
  const auto range = parse_range(field.type, cursor_.peek().text);
  if (!range) return wrong("no value of this kind");
  cursor_.take();
  load(field, list_);
  if (range->first == range->last) {
    compare(inverted ? NFT_CMP_NEQ : NFT_CMP_EQ, range->first, list_);
    if (!inverted && field.source == Source::meta && field.key == NFT_META_L4PROTO) {
      l4proto_ = range->first.front();
    }
    if (!inverted && field.source == Source::meta && field.key == NFT_META_NFPROTO) {
      nfproto_ = range->first.front();
    }
    return {};
  }
  if (range->netmask) {
    mask(*range->netmask, Octets(range->first.size()), list_);
    compare(inverted ? NFT_CMP_NEQ : NFT_CMP_EQ, range->first, list_);
    return {};
  }
  if (inverted) return wrong("a range can be inverted only within braces");
  compare(NFT_CMP_GTE, range->first, list_);
  compare(NFT_CMP_LTE, range->last, list_);
  return {};
}

void RuleReader::look_up(const std::string& set, std::uint32_t id, bool inverted) {
  add_expression(list_, "lookup", [&](Attributes& data) {
    data.text(NFTA_LOOKUP_SET, set);
    if (id != 0) data.number(NFTA_LOOKUP_SET_ID, id);
    data.number(NFTA_LOOKUP_SREG, register_one);
    if (inverted) data.number(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
  });
}

Result<void> RuleReader::read_lookup(const Field& field, bool inverted) {
  const std::string name = cursor_.take().text.substr(1);
  load(field, list_);
  look_up(name, 0, inverted);
  return {};
}

Result<void> RuleReader::read_set(const Field& field, bool inverted) {
  cursor_.take();
  std::vector<Element> elements;
  bool interval = false;
  do {
    auto range = parse_range(field.type, cursor_.peek().text);
    if (!range) return wrong("no value of this kind");
    cursor_.take();
    interval = interval || range->first != range->last;
    elements.push_back({std::move(*range)});
  } while (cursor_.accept(","));
  if (!cursor_.accept("}")) return wrong("no end of the set");
  const SetSpec set{.name = std::string{anonymous_set},
                    .key = field.type,
                    .flags = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT |
                             (interval ? std::uint32_t{NFT_SET_INTERVAL} : 0U),
                    .size = interval ? 0U : static_cast<std::uint32_t>(elements.size()),
                    .id = next_set_id_++};
  add_set(batch_, table_, set, source_);
  add_elements(batch_, table_, set, interval ? joined(std::move(elements)) : std::move(elements),
               source_);
  load(field, list_);
  look_up(set.name, set.id, inverted);
  return {};
}

}  // namespace tw::nft
