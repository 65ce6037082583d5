// The matching part of a policy rule as nftables text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/admission/policy.h"
#include "wire/address.h"

namespace tw {

/// Without duplicates and without prefixes that lie inside another: an nftables interval set
/// refuses overlaps. Sorted, IPv4 first.
std::vector<Prefix> without_overlaps(std::vector<Prefix> prefixes);

/// Sorted, overlapping and touching ranges merged.
std::vector<relay::PortRange> without_overlaps(std::vector<relay::PortRange> ranges);

/// "ip saddr { 10.0.0.0/8, … } " with a trailing space: matches packets of `family` whose `field`
/// ("saddr" or "daddr") is in one of the prefixes of that family, of which there must be one.
std::string address_match(Family family, std::string_view field,
                          const std::vector<Prefix>& prefixes);
std::string address_match(Family family, std::string_view field,
                          const std::vector<IpAddress>& addresses);

/// The families that some of the addresses are of.
std::vector<Family> families_of(const std::vector<IpAddress>& addresses);

/// One text a family where addresses matter, one for both where they do not; none if nothing can
/// match (from IPv4 to IPv6). Each ends with a space unless empty; an empty one matches everything.
/// With `tcp_only` the packets are known to be TCP.
std::vector<std::string> rule_matches(const relay::PolicyRule& rule, bool tcp_only);

/// The same for whatever comes from and goes to where the rule would match TCP to `port`.
std::vector<std::string> matches_as_tcp(const relay::PolicyRule& rule, std::uint16_t port);

}  // namespace tw
