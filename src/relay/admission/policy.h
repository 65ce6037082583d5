// The policy: one list of rules for what is relayed and what is routed, from whom and where to.
// Closed by default: what no rule allows is refused. Pure decisions; the firewall (node/) is
// generated from the same list, and the last PoP asks it again before it connects.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "wire/address.h"

namespace tw::relay {

enum class Protocol : std::uint8_t { any, tcp, udp, icmp };  ///< icmp: ICMP and ICMPv6
enum class Action : std::uint8_t {
  refuse,  ///< an exception from a wider rule further down
  route,   ///< forwarded as it is
  relay,   ///< TCP only: split here, and carried by the PoP whose routes cover the target
};

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 65535;
  friend bool operator==(const PortRange&, const PortRange&) noexcept = default;
};

/// Matches if every part matches; an empty list matches everything.
struct PolicyRule {
  std::vector<Prefix> from{};
  std::vector<Prefix> to{};
  Protocol protocol = Protocol::any;
  std::vector<PortRange> ports{};  ///< the target's; only with tcp or udp
  Action action = Action::refuse;
  friend bool operator==(const PolicyRule&, const PolicyRule&) noexcept = default;
};

class Policy {
 public:
  Policy() = default;
  explicit Policy(std::vector<PolicyRule> rules) : rules_(std::move(rules)) {}
  /// The first rule that matches decides; none: refuse. An IPv6 target that stands for IPv4 ones
  /// (wire/ip/embedded_ipv4.h) must be allowed as what it is and as what it stands for: who allows
  /// ::/0 and refuses 10.0.0.0/8 has not allowed 64:ff9b::10.0.0.1.
  Action decide(const IpAddress& source, const Endpoint& target, Protocol protocol) const noexcept;
  const std::vector<PolicyRule>& rules() const noexcept { return rules_; }

 private:
  Action decide_plain(const IpAddress& source, const Endpoint& target,
                      Protocol protocol) const noexcept;
  std::vector<PolicyRule> rules_;
};

/// Never a target of a relayed connection unless listed by name: loopback, link-local, multicast,
/// unspecified, and whatever is local to this machine at that moment (the caller asks the kernel).
bool is_special(const IpAddress& target) noexcept;

}  // namespace tw::relay
