#include "node/machine/firewall.h"

#include <fmt/format.h>

#include "node/nft/compile.h"

namespace tw::node {
namespace {

// Names have been checked, so text that does not compile is our own mistake; it fails like any
// other.
Result<void> run(nft::Socket& socket, const std::string& commands, const std::string& doing) {
  auto batch = nft::compile(commands);
  if (!batch) return in_context(doing, batch.error());
  return socket.commit(std::move(*batch), doing);
}

}  // namespace

Result<Firewall> Firewall::open(std::string device) {
  if (!is_device_name(device)) {
    return make_error(
        Error::Kind::config,
        fmt::format("\"{}\" is no device name: 1 to 15 of a-z A-Z 0-9 _=+.-", device));
  }
  auto socket = nft::Socket::open();
  if (!socket) return std::unexpected(socket.error());
  return Firewall{std::move(device), std::move(*socket)};
}

Result<void> Firewall::apply(const FirewallSpec& spec) {
  if (spec.device != device_) {
    return make_error(Error::Kind::config,
                      fmt::format("firewall of {} given rules for {}", device_, spec.device));
  }
  auto ran = run(socket_, render_firewall(spec), "set up the firewall of " + device_);
  present_ = present_ || ran;
  return ran;
}

Result<void> Firewall::remove() {
  if (!present_) return {};
  auto ran = run(socket_, fmt::format("delete table inet {}", firewall_table(device_)),
                 "remove the firewall of " + device_);
  present_ = present_ && !ran;
  return ran;
}

Result<std::vector<FirewallCount>> Firewall::counts() {
  if (!present_) return std::vector<FirewallCount>{};
  return socket_.counters(firewall_table(device_));
}

Result<void> Firewall::probe() {
  auto firewall = open("probe");
  if (!firewall) return std::unexpected(firewall.error());
  FirewallSpec spec;
  spec.device = "probe";
  spec.relay = spec.reject_quic = spec.clamp_mss = true;
  spec.policy = {{.action = relay::Action::relay}};
  spec.listen_port = 1;
  spec.leg_port = 2;
  spec.mark = 1;
  spec.own_addresses = {IpAddress::v4({192, 0, 2, 1}), *IpAddress::parse("2001:db8::1")};
  spec.pop_addresses = spec.own_addresses;
  spec.masquerade = {*Prefix::parse("192.0.2.0/24"), *Prefix::parse("2001:db8::/32")};
  constexpr std::string_view doing =
      "this kernel lacks part of nftables (needed: tables with an owner, tproxy, socket, ct, nat)";
  auto batch = nft::compile(render_firewall(spec));
  if (!batch) return in_context(std::string{doing}, batch.error());
  return firewall->socket_.try_out(std::move(*batch), doing);
}

}  // namespace tw::node
