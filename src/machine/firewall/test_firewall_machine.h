// For the firewall's tests: a router in a namespace of its own, between a tunnel (tw0) and the
// world (out0), and what becomes of a packet that comes in by either.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

#include "machine/firewall/firewall.h"
#include "machine/sysctl.h"
#include "machine/test_network.h"
#include "wire/sockaddr.h"

namespace tw::node::testing {

enum class Fate : std::uint8_t {
  nothing,      ///< not seen again
  to_tunnel,    ///< forwarded to tw0 as it was
  to_world,     ///< forwarded to out0 as it was
  answered,     ///< SYN-ACK or echo reply, back where it came from
  reset,        ///< TCP RST, back where it came from
  unreachable,  ///< ICMP "port unreachable", back where it came from
  prohibited,   ///< ICMP "administratively prohibited", back where it came from
};

inline IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }
inline Prefix net(std::string_view text) { return *Prefix::parse(text); }

class Machine {
 public:
  static constexpr std::uint16_t listen_port = 9701, leg_port = 9702;
  static constexpr std::uint32_t mark = 0x54570042, own_mark = 0x54580042;

  /// Empty if all went well.
  std::string build() {
    if (!tunnel.opened() || !world.opened()) return "no TUN device";
    auto opened = Netlink::open();
    if (!opened) return opened.error().text();
    std::string wrong;
    const auto check = [&wrong](Result<void> result) {
      if (!result && wrong.empty()) wrong = result.error().text();
    };
    check(opened->links.add_address("tw0", {ip("10.50.0.1"), 24}));
    check(opened->links.add_address("tw0", {ip("fd50::1"), 64}));
    check(opened->links.add_address("out0", {ip("192.0.2.1"), 24}));
    check(opened->links.add_address("out0", {ip("2001:db8:2::1"), 64}));
    for (const char* device : {"tw0", "out0"}) check(opened->links.set_up(device, true));
    for (const char* prefix : {"10.0.0.0/8", "fd00::/8"}) {
      check(opened->routes.add_route({.prefix = net(prefix), .device = "tw0", .metrics = {}}));
    }
    for (const char* prefix : {"0.0.0.0/0", "::/0"}) {
      check(opened->routes.add_route({.prefix = net(prefix), .device = "out0", .metrics = {}}));
    }
    for (const Family family : {Family::v4, Family::v6}) {
      const char* all = family == Family::v4 ? "0.0.0.0/0" : "::/0";
      check(opened->routes.add_route(
          {.prefix = net(all), .device = "lo", .table = mark, .local = true, .metrics = {}}));
      check(opened->routes.add_rule(
          {.family = family, .priority = 9700, .mark = mark, .table = mark, .in_device = "tw0"}));
    }
    for (const char* own : {"fd50::1", "2001:db8:2::1"}) {
      bool local = false;
      for (int attempt = 0; attempt < 1000 && !local; ++attempt) {
        local = opened->routes.delivers(ip(own)).value_or(false);
        if (!local) ::poll(nullptr, 0, 2);
      }
      if (!local) return std::string{own} + " did not come into use";
    }
    // Errors must not be rationed here, nor sources checked by the routing table.
    for (const auto& [key, value] :
         std::vector<std::pair<const char*, const char*>>{{"net/ipv4/ip_forward", "1"},
                                                          {"net/ipv6/conf/all/forwarding", "1"},
                                                          {"net/ipv4/icmp_ratelimit", "0"},
                                                          {"net/ipv6/icmp/ratelimit", "0"},
                                                          {"net/ipv4/icmp_msgs_per_sec", "1000000"},
                                                          {"net/ipv4/icmp_msgs_burst", "1000000"},
                                                          {"net/ipv4/conf/all/rp_filter", "0"},
                                                          {"net/ipv4/conf/tw0/rp_filter", "0"},
                                                          {"net/ipv4/conf/out0/rp_filter", "0"}}) {
      check(make(SysctlChange{key, "", value}));
    }
    return wrong;
  }

  /// A listener on a port of every address; not bound to a device. One on a port of the relay's is
  /// the relay's own, unless `marked` says otherwise.
  static UniqueFd listen(std::uint16_t port, bool transparent, Family family) {
    return listen(port, transparent, family, transparent || port == leg_port);
  }
  static UniqueFd listen(std::uint16_t port, bool transparent, Family family, bool marked) {
    const bool v4 = family == Family::v4;
    UniqueFd socket{::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!v4) ::setsockopt(socket.get(), SOL_IPV6, IPV6_V6ONLY, &on, sizeof on);
    const std::uint32_t socket_mark = marked ? own_mark : 0;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &socket_mark, sizeof socket_mark);
    if (transparent) {
      ::setsockopt(socket.get(), v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TRANSPARENT : IPV6_TRANSPARENT,
                   &on, sizeof on);
    }
    sockaddr_in6 address6{};
    sockaddr_in address4{};
    address6.sin6_family = AF_INET6;
    address4.sin_family = AF_INET;
    address6.sin6_port = address4.sin_port = htons(port);
    const auto* address = v4 ? reinterpret_cast<const sockaddr*>(&address4)
                             : reinterpret_cast<const sockaddr*>(&address6);
    const socklen_t size = v4 ? sizeof address4 : sizeof address6;
    if (::bind(socket.get(), address, size) != 0 || ::listen(socket.get(), 4096) != 0) return {};
    return socket;
  }

  FirewallSpec spec() const {
    FirewallSpec spec;
    spec.device = "tw0";
    spec.link_index = ::if_nametoindex("tw0");
    spec.own_addresses = {ip("10.50.0.1"), ip("fd50::1")};
    spec.relay = true;
    spec.listen_port = listen_port;
    spec.leg_port = leg_port;
    spec.mark = mark;
    spec.own_mark = own_mark;
    // Clients and the hosts behind the tunnel.
    std::vector<OwnedPrefix> owned;
    for (const char* prefix : {"10.1.0.0/16", "10.2.0.0/16", "fd01::/16", "fd02::/16", "10.50.0.1",
                               "10.50.0.2", "fd50::1", "fd50::2"}) {
      owned.emplace_back(net(prefix), net(prefix).length);
    }
    spec.peers = overlay_ranges(std::move(owned));
    spec.overlay = without_peers(spec.peers);
    spec.pop_addresses = {ip("10.50.0.2"), ip("fd50::2")};
    return spec;
  }

  /// Injects the packet and looks for what comes of its flow. `hurry`: nothing is expected, so do
  /// not wait for it (the kernel forwards within the write).
  Fate fate(const ScratchTun& from, const Packet& packet, bool hurry = false) {
    last.clear();
    const auto flow = flow_of(packet);
    if (!flow || !from.inject(packet)) return Fate::nothing;
    std::array<pollfd, 2> ready{pollfd{tunnel.fd(), POLLIN, 0}, pollfd{world.fd(), POLLIN, 0}};
    while (::poll(ready.data(), ready.size(), hurry ? 0 : patience_ms) > 0) {
      for (const ScratchTun* device : {&tunnel, &world}) {
        while (auto seen = device->take()) {
          const Fate found = classify(*flow, *seen, *device, from);
          if (found == Fate::nothing) continue;
          last = *seen;
          return found;
        }
      }
    }
    return Fate::nothing;
  }
  Fate fate(const ScratchTun& from, const Flow& flow, bool hurry = false) {
    return fate(from, first_packet(flow), hurry);
  }

  ScratchTun tunnel{"tw0"};
  ScratchTun world{"out0"};
  Packet last;  ///< the packet that the last fate() has seen

 private:
  static constexpr int patience_ms = 2000;

  Fate classify(const Flow& sent, const Packet& seen, const ScratchTun& device,
                const ScratchTun& from) const {
    const auto flow = flow_of(seen);
    if (!flow) return Fate::nothing;
    if (flow->target == sent.target && flow->protocol == sent.protocol &&
        flow->source_port == sent.source_port && flow->target_port == sent.target_port) {
      return &device == &tunnel ? Fate::to_tunnel : Fate::to_world;
    }
    if (&device != &from || flow->target != sent.source) return Fate::nothing;
    const ByteView transport = transport_of(seen);
    if (flow->protocol == 6 && sent.protocol == 6 && flow->source == sent.target &&
        flow->source_port == sent.target_port && flow->target_port == sent.source_port) {
      return (transport[13] & 0x04U) != 0 ? Fate::reset : Fate::answered;
    }
    const bool v4 = flow->protocol == 1;
    if (!v4 && flow->protocol != 58) return Fate::nothing;
    if (transport[0] == (v4 ? 0 : 129)) {
      return flow->source_port == sent.source_port ? Fate::answered : Fate::nothing;
    }
    const bool admin =
        v4 ? transport[0] == 3 && transport[1] == 13 : transport[0] == 1 && transport[1] == 1;
    const auto inner = flow_of(transport.subspan(8));
    const bool ours = inner && inner->target == sent.target &&
                      inner->source_port == sent.source_port && inner->protocol == sent.protocol;
    const bool port =
        v4 ? transport[0] == 3 && transport[1] == 3 : transport[0] == 1 && transport[1] == 4;
    if (port && ours) return Fate::unreachable;
    return admin && ours ? Fate::prohibited : Fate::nothing;
  }
};

}  // namespace tw::node::testing
