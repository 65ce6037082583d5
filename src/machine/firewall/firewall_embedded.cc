#include "machine/firewall/firewall_embedded.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "machine/firewall/firewall_lines.h"
#include "machine/firewall/firewall_match.h"

namespace tw {
namespace {

using relay::Action;
using relay::PolicyRule;
using Octets = std::array<std::uint8_t, 16>;

// Where an IPv4 address lies in an IPv6 one.
struct Place {
  std::string_view chain;
  std::array<std::uint8_t, 4> at;
  std::uint8_t flip = 0;  // XORed with each octet
};
constexpr Place last{"embedded_last", {12, 13, 14, 15}};
constexpr Place inverted{"embedded_inverted", {12, 13, 14, 15}, 0xff};
constexpr Place after_16{"embedded_after_16", {2, 3, 4, 5}};
constexpr Place after_32{"embedded_after_32", {4, 5, 6, 7}};
// RFC 6052, section 2.2: octet 8 belongs to none.
constexpr Place after_48{"embedded_after_48", {6, 7, 9, 10}};
constexpr Place after_56{"embedded_after_56", {7, 9, 10, 11}};
constexpr Place after_64{"embedded_after_64", {9, 10, 11, 12}};
constexpr std::array places{last, inverted, after_16, after_32, after_48, after_56, after_64};
constexpr std::size_t reserved = 8;

std::string text_of(const Octets& octets) { return IpAddress::from_bytes(octets).text(); }

std::string target_match(const Octets& mask, const Octets& value, bool equal = true) {
  return fmt::format("ip6 daddr & {} {} {} ", text_of(mask), equal ? "==" : "!=", text_of(value));
}

// Matches targets that begin with these octets.
std::string begins_with(std::initializer_list<std::uint8_t> octets) {
  Octets mask{}, value{};
  std::size_t at = 0;
  for (const std::uint8_t octet : octets) {
    mask.at(at) = 0xff;
    value.at(at++) = octet;
  }
  return target_match(mask, value);
}

// Matches targets that have an address of this prefix in this place.
std::string stands_for(const Place& place, const Prefix& prefix) {
  Octets mask{}, value{};
  const ByteView address = prefix.address.bytes();
  for (std::size_t bit = 0; bit < prefix.length; ++bit) {
    mask.at(place.at.at(bit / 8)) |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
  }
  for (std::size_t i = 0; i < place.at.size(); ++i) {
    const auto octet = static_cast<std::uint8_t>(address[i] ^ place.flip);
    value.at(place.at.at(i)) = octet & mask.at(place.at.at(i));
  }
  return target_match(mask, value);
}

// The rule's targets, with IPv4 ones in their place; none if it names other targets only.
std::vector<std::string> targets_of(const PolicyRule& rule, const Place& place) {
  if (rule.to.empty()) return {""};
  std::vector<std::string> matches;
  for (const Prefix& prefix : without_overlaps(rule.to)) {
    if (!prefix.address.is_v4()) continue;
    if (prefix.length == 0) return {""};
    matches.push_back(stands_for(place, prefix));
  }
  return matches;
}

// The policy's rules for what lies in this place. Whether a connection is relayed or routed is the
// outer address's to say.
void write_place(FirewallLines& text, const FirewallSpec& spec, const Place& place) {
  text.open_chain(place.chain);
  for (const PolicyRule& rule : spec.policy) {
    PolicyRule from_v6 = rule;
    from_v6.to = {Prefix{.address = *IpAddress::parse("::"), .length = 0}};
    for (const std::string& target : targets_of(rule, place)) {
      for (const std::string& match : rule_matches(from_v6, false)) {
        text.line("{}{}{}", target, match,
                  rule.action == Action::refuse ? "goto refused" : "return");
      }
    }
  }
  text.line("goto refused");
  text.close_chain();
}

// The prefix is as long as its translator was told, and zero follows the address; a reading that
// begins with 0 counts only if there is no other.
std::string local_match(const Place& place) {
  Octets mask{}, value{0, 0x64, 0xff, 0x9b, 0, 1};
  for (std::size_t i = 0; i < 6; ++i) mask.at(i) = 0xff;
  mask.at(reserved) = 0xff;
  for (std::size_t i = place.at.back() + std::size_t{1}; i < mask.size(); ++i) mask.at(i) = 0xff;
  Octets first{};
  first.at(place.at.front()) = 0xff;
  return target_match(mask, value) + target_match(first, {}, false);
}

void write_local_nat64(FirewallLines& text) {
  text.open_chain("embedded_local_only");
  for (const Place& place : {after_48, after_56, after_64}) {
    text.line("{}return", local_match(place));
  }
  text.line("goto {}", last.chain);
  text.close_chain();
  text.open_chain("embedded_local");
  for (const Place& place : {after_48, after_56, after_64}) {
    text.line("{}jump {}", local_match(place), place.chain);
  }
  Octets first_of_last{};
  first_of_last.at(last.at.front()) = 0xff;
  text.line("{}goto {}", target_match(first_of_last, {}, false), last.chain);
  text.line("goto embedded_local_only");
  text.close_chain();
}

}  // namespace

void write_embedded(FirewallLines& text, const FirewallSpec& spec) {
  for (const Place& place : places) write_place(text, spec, place);
  write_local_nat64(text);
  text.open_chain(embedded_chain);
  text.line("ip6 daddr {{ ::/96, ::ffff:0:0/96, ::ffff:0:0:0/96, 64:ff9b::/96 }} jump {}",
            last.chain);
  text.line("{}jump embedded_local", begins_with({0, 0x64, 0xff, 0x9b, 0, 1}));
  text.line("{}jump {}", begins_with({0x20, 0x02}), after_16.chain);
  text.line("{}jump {}", begins_with({0x20, 0x01, 0, 0}), after_32.chain);
  text.line("{}jump {}", begins_with({0x20, 0x01, 0, 0}), inverted.chain);
  constexpr Octets isatap_mask{0, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0xff, 0xff, 0xff};
  constexpr Octets isatap{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x5e, 0xfe};
  text.line("{}jump {}", target_match(isatap_mask, isatap), last.chain);
  text.close_chain();
}

}  // namespace tw
