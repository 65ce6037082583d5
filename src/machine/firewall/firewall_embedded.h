// The policy's judgement over IPv4 addresses inside IPv6 targets, as nftables text.
#pragma once

#include <string_view>

namespace tw {

class FirewallLines;
struct FirewallSpec;

/// The chain to jump to with IPv6 packets of which the policy is asked.
inline constexpr std::string_view embedded_chain = "embedded";

/// Writes `embedded_chain` and the chains that it needs. It returns for a packet whose target
/// stands for no IPv4 address, or for such as the policy allows too, and goes to the chain
/// "refused" with the rest: what relay::Policy::decide() says. The forms are those of
/// wire/ip/embedded_ipv4.h. A rule becomes seven for each of its IPv4 prefixes, one for each place
/// that an address may have.
void write_embedded(FirewallLines& text, const FirewallSpec& spec);

}  // namespace tw
