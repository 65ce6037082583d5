#include "machine/firewall/firewall.h"

#include <fmt/format.h>

#include <cstdint>

#include "machine/nft/compile.h"

namespace tw {
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
  auto watch = nft::Socket::open();
  if (!watch) return std::unexpected(watch.error());
  if (auto listening = watch->listen(); !listening) return std::unexpected(listening.error());
  return Firewall{std::move(device), std::move(*socket), std::move(*watch)};
}

Result<void> Firewall::apply(const FirewallSpec& spec) {
  if (spec.device != device_) {
    return make_error(Error::Kind::config,
                      fmt::format("firewall of {} given rules for {}", device_, spec.device));
  }
  const bool anew = !spec_;
  auto ran = run(socket_, render_firewall(spec) + render_floor(spec, anew),
                 "set up the firewall of " + device_);
  if (ran) spec_ = spec;
  return ran;
}

Result<void> Firewall::remove() {
  if (!spec_) return {};
  auto ran = run(socket_, fmt::format("delete table inet {}", firewall_table(device_)),
                 "remove the firewall of " + device_);
  if (ran) spec_.reset();
  return ran;
}

Result<bool> Firewall::keep_floor() {
  if (!watch_.changed_by_others(floor_table(device_), socket_.port()) || !spec_) return false;
  auto ran =
      run(socket_, render_floor(*spec_, false), "put back the firewall's floor of " + device_);
  // Somebody has put a table of this name with other chains there.
  if (!ran) ran = run(socket_, render_floor(*spec_, true), "replace the firewall's floor");
  if (!ran) return std::unexpected(ran.error());
  return true;
}

Result<std::vector<FirewallCount>> Firewall::counts() {
  std::vector<FirewallCount> counts;
  if (!spec_) return counts;
  for (const std::string& table : {firewall_table(device_), floor_table(device_)}) {
    auto some = socket_.counters(table);
    if (!some) return some;
    counts.insert(counts.end(), some->begin(), some->end());
  }
  return counts;
}

Result<void> Firewall::remove_floor(const std::string& table) {
  auto socket = nft::Socket::open();
  if (!socket) return std::unexpected(socket.error());
  return run(*socket, fmt::format("add table inet {0}\ndelete table inet {0}\n", table),
             "remove the firewall's floor " + table);
}

Result<void> Firewall::probe() {
  auto firewall = open("probe");
  if (!firewall) return std::unexpected(firewall.error());
  FirewallSpec spec;
  spec.device = "probe";
  spec.link_index = INT32_MAX;
  spec.relay = spec.reject_quic = spec.clamp_mss = spec.notrack = true;
  spec.wireguard_port = 3;
  spec.policy = {{.action = relay::Action::relay}};
  spec.listen_port = 1;
  spec.leg_port = 2;
  spec.mark = 1;
  spec.own_mark = 2;
  spec.flows_per_peer = 1;
  spec.drop_foreign_v4 = spec.drop_foreign_v6 = true;
  spec.client_devices = {"probe0"};
  spec.client_indexes = {INT32_MAX - 1};
  spec.own_addresses = {IpAddress::v4({192, 0, 2, 1}), *IpAddress::parse("2001:db8::1")};
  spec.pop_addresses = spec.own_addresses;
  spec.overlay = spec.peers =
      overlay_ranges({{*Prefix::parse("192.0.2.0/24"), 1}, {*Prefix::parse("2001:db8::/32"), 1}});
  spec.masquerade = {*Prefix::parse("192.0.2.0/24"), *Prefix::parse("2001:db8::/32")};
  constexpr std::string_view doing =
      "this kernel lacks part of nftables (needed: tables with an owner, tproxy, socket, ct count, "
      "nat)";
  auto batch = nft::compile(render_firewall(spec) + render_floor(spec, true));
  if (!batch) return in_context(std::string{doing}, batch.error());
  return firewall->socket_.try_out(std::move(*batch), doing);
}

}  // namespace tw
