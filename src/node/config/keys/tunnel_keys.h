// The keys of [node], [tunnel], [workers], [[peer]], [[group]] and [gateway].
#pragma once

#include <array>

#include "node/config/config_values.h"
#include "node/config/keys/key.h"

namespace tw::node {

// Readers of keys that need more than their own text: config_tunnel.cc.

/// Reads the key file that the key names.
bool read_private_key(KeyReading& at, const Key<TunnelConfig>& key, TunnelConfig& tunnel);
bool read_preshared_key(KeyReading& at, const Key<PeerDraft>& key, PeerDraft& peer);
/// Reads into the draft, which keeps the place of each address.
bool read_addresses(KeyReading& at, const Key<TunnelConfig>& key, TunnelConfig& tunnel);
bool read_includes(KeyReading& at, const Key<TunnelConfig>& key, TunnelConfig& tunnel);
/// Reads a word, or a number with or without quotes.
bool read_dscp_key(KeyReading& at, const Key<TunnelConfig>& key, TunnelConfig& tunnel);

using InNode = Kinds<ProcessConfig>;
inline constexpr auto node_keys = std::to_array<Key<ProcessConfig>>({
    {.name = "control_socket",
     .kind = InNode::text<read_socket_path, &ProcessConfig::control_socket>("path"),
     .change = Change::restart,
     .help =
         "where `status`, `set`, `reload`, `drain` and `peer` find the node; absolute, at most 107 "
         "bytes",
     .otherwise = "`/run/thalweg/INTERFACE.sock`"},
    {.name = "log_level",
     .kind = InNode::word<log_level_words, &ProcessConfig::log_level>(),
     .change = Change::restart,
     .help = "the lowest level that is written"},
    {.name = "log_file",
     .kind = InNode::text<read_absolute_path, &ProcessConfig::log_file>("path"),
     .change = Change::restart,
     .help = "also written to this file; absolute, the file itself and no link to it",
     .otherwise = "none"},
    {.name = "metrics",
     .kind = InNode::text<read_metrics_endpoint, &ProcessConfig::metrics>("`\"ADDRESS:PORT\"`"),
     .change = Change::restart,
     .help = "Prometheus text over HTTP, path `/metrics`; a loopback address ([its "
             "limits](operations.md#the-metrics-port))",
     .otherwise = "off"},
    {.name = "remember_peers",
     .kind = InNode::boolean<&ProcessConfig::remember_peers>(),
     .help = "keep the endpoints of peers that have a session in a file of root's, and ask them "
             "for a new one at the next start ([a restart](operations.md#a-restart)): without that "
             "each is silent for up to 15 s. `false` removes the file"},
});

using InTunnel = Kinds<TunnelConfig>;
inline constexpr auto tunnel_keys = std::to_array<Key<TunnelConfig>>({
    {.name = "interface",
     .kind = InTunnel::text<read_interface_name, &TunnelConfig::interface>("string"),
     .change = Change::restart,
     .help = "name of the device: 1 to 15 letters, digits and `_ = + . -`",
     .required = R"(name the device: interface = "wg0")"},
    {.name = "private_key_file",
     .kind = InTunnel::special<read_private_key, &TunnelConfig::private_key>("file name"),
     .help = "see Secrets",
     .required = "make one with (umask 077; wg genkey > node.key) and name it: "
                 "private_key_file = \"node.key\""},
    {.name = "listen_port",
     .kind = InTunnel::number<&TunnelConfig::listen_port>(0),
     .help = "UDP port; 0: any that is free"},
    {.name = "addresses",
     .kind =
         InTunnel::special<read_addresses, &TunnelConfig::addresses>("list of `\"ADDRESS/BITS\"`"),
     .change = Change::relay,
     .help = "of the device; host bits are kept; the relay needs one",
     .otherwise = "`[]`"},
    {.name = "mtu",
     .kind = InTunnel::number<&TunnelConfig::mtu>(lowest_mtu, highest_mtu, "bytes"),
     .change = Change::restart,
     .help = "of the device; at least 1280 with an IPv6 address"},
    {.name = "fwmark",
     .kind = InTunnel::number<&TunnelConfig::fwmark>(0),
     .help = "mark of outgoing datagrams; 0: none"},
    {.name = "include",
     .kind = InTunnel::special<read_includes, &TunnelConfig::include>("list of file names"),
     .help = "files with further `[[peer]]` and `[[group]]`, or folders, or `\"peers.d/*.toml\"`: "
             "see [Peers in "
             "files of their own](#peers-in-files-of-their-own)",
     .otherwise = "`[]`"},
    {.name = "public_endpoint",
     .kind = InTunnel::text<read_endpoint_name, &TunnelConfig::public_endpoint>("`\"HOST:PORT\"`"),
     .help = "where clients reach this node: what `peer add` writes into their files",
     .otherwise = "none"},
    {.name = "install_routes",
     .kind = InTunnel::boolean<&TunnelConfig::install_routes>(),
     .help = "a route to each peer's allowed IPs, but never a default route"},
    {.name = "tx_queue_packets",
     .kind = InTunnel::number<&TunnelConfig::tx_queue_packets>(16, 1'000'000, "packets"),
     .help = "queue of the device: a turbo-started flight must fit. Only without eBPF: with it the "
             "queue is bounded by `queue_limit_us`, and this has no effect"},
    {.name = "cipher",
     .kind = InTunnel::text<read_cipher, &TunnelConfig::tuning, &DeviceTuning::cipher>(
         R"(`"automatic"`, `"ipsec-mb"`, `"boringssl"`, `"openssl"`)"),
     .change = Change::restart,
     .help = "engine that seals and opens; automatic: all are checked and timed at the start, and "
             "the fastest that is right is taken. `boringssl` needs Debian's "
             "`android-libboringssl`, and is worth having without AVX-512"},
    {.name = "governor",
     .kind = InTunnel::word<governor_words, &TunnelConfig::tuning, &DeviceTuning::governor,
                            &GovernorSettings::mode>(),
     .change = Change::restart,
     .help = "when the data worker has nothing to do: it spins for `spin_us`, then sleeps "
             "(adaptive); sleeps at once (interrupt); never sleeps, which takes a CPU and has the "
             "lowest latency (busy)"},
    {.name = "spin_us",
     .kind = InTunnel::microseconds<&TunnelConfig::tuning, &DeviceTuning::governor,
                                    &GovernorSettings::spin>(1, most_spin_us),
     .change = Change::restart,
     .help = "only with `governor = \"adaptive\"`"},
    {.name = "queue_limit_us",
     .kind = InTunnel::microseconds<&TunnelConfig::tuning, &DeviceTuning::queue_limit>(
         0, most_queue_limit_us),
     .change = Change::restart,
     .help = "how long packets may wait for good in the device's queue, or data in a socket: a "
             "wait that stays above it is pushed back "
             "([0006](decisions/0006-queues-bounded-in-time.md)), bursts are not; 0: any time"},
    {.name = "dscp",
     .kind = InTunnel::special<read_dscp_key, &TunnelConfig::tuning, &DeviceTuning::dscp>(
         R"(`"clear"`, `"inherit"`, 0 to 63)"),
     .help = "class of service of outer packets: none; each packet's own, which the path then "
             "sees; or this one for all. ECN always follows RFC 6040",
     .otherwise = "`\"clear\"`"},
});

using InOffloads = Kinds<DeviceOffloads>;
inline constexpr auto offload_keys = std::to_array<Key<DeviceOffloads>>({
    {.name = "udp_receive",
     .kind = InOffloads::boolean<&DeviceOffloads::udp_receive>(),
     .change = Change::restart,
     .help = "take trains from the UDP sockets (`UDP_GRO`)"},
    {.name = "udp_send",
     .kind = InOffloads::boolean<&DeviceOffloads::udp_send>(),
     .change = Change::restart,
     .help = "send trains (`UDP_SEGMENT`)"},
    {.name = "tun_tcp",
     .kind = InOffloads::boolean<&DeviceOffloads::tun_tcp>(),
     .change = Change::restart,
     .help = "TCP trains from and to the device (TSO, IPv4 and IPv6)"},
    {.name = "tun_udp",
     .kind = InOffloads::boolean<&DeviceOffloads::tun_udp>(),
     .change = Change::restart,
     .help = "UDP trains from and to the device (USO; Linux 6.2)"},
    {.name = "tun_udp_tunnel",
     .kind = InOffloads::boolean<&DeviceOffloads::tun_udp_tunnel>(),
     .change = Change::restart,
     .help = "trains of either kind inside a UDP tunnel (VXLAN, Geneve) from the device (Linux "
             "6.17)"},
});

using InWorkers = Kinds<DeviceWorkers>;
inline constexpr auto worker_keys = std::to_array<Key<DeviceWorkers>>({
    {.name = "max",
     .kind = InWorkers::number<&DeviceWorkers::max>(1, most_workers),
     .change = Change::restart,
     .help = "threads that carry packets; each peer belongs to one of them ([several "
             "workers](operations.md#several-workers))"},
    {.name = "cores",
     .kind = InWorkers::text<read_cores, &DeviceWorkers::cores>("`\"0-3,6\"`"),
     .change = Change::restart,
     .help = "CPUs for them, one each in turn, as the kernel writes lists of CPUs; none: wherever "
             "the kernel likes",
     .otherwise = "none"},
    {.name = "steering",
     .kind = InWorkers::word<steering_words, &DeviceWorkers::steering>(),
     .change = Change::restart,
     .help = "who puts a packet on its worker's queue: programs in the kernel (where it takes "
             "none, the workers, and the log says so), or the workers, by passing it on"},
});

using InPeer = Kinds<PeerDraft>;
inline constexpr auto peer_keys = std::to_array<Key<PeerDraft>>({
    {.name = "name",
     .kind = InPeer::text<read_name, &PeerDraft::peer, &PeerConfig::name>("string"),
     .help = "for logs, `status`, `[[pop]]` and `[[policy]]`; at most 64 bytes",
     .otherwise = "first 8 characters of the key"},
    {.name = "public_key",
     .kind = InPeer::text<read_public_key, &PeerDraft::peer, &PeerConfig::public_key>("base64"),
     .help = "the key that `wg pubkey` prints on the peer's machine",
     .required = "write the key that `wg pubkey` prints on the peer's machine"},
    {.name = "preshared_key_file",
     .kind = InPeer::special<read_preshared_key>("file name"),
     .help = "see Secrets",
     .otherwise = "none"},
    {.name = "endpoint",
     .kind = InPeer::text<read_endpoint_name, &PeerDraft::peer, &PeerConfig::endpoint>(
         "`\"HOST:PORT\"`"),
     .help = "`\"[v6]:PORT\"` for an IPv6 address, `\"[fe80::1%eth0]:PORT\"` for a link-local one; "
             "the port may be a service of UDP; a name is looked up when the file is applied, and "
             "again when the peer does not answer ([operations](operations.md#endpoints-by-name)); "
             "none: the peer calls first",
     .otherwise = "none"},
    {.name = "allowed_ips",
     .kind = InPeer::list<read_prefix, &PeerDraft::allowed_ips>("list of prefixes"),
     .help = "what it may send from, and what is sent to it"},
    {.name = "persistent_keepalive_s",
     .kind = InPeer::number<&PeerDraft::peer, &PeerConfig::persistent_keepalive_s>(0, InPeer::any,
                                                                                   "seconds"),
     .help = "between keepalives; 0: off"},
});

using InGroup = Kinds<GroupDraft>;
inline constexpr auto group_keys = std::to_array<Key<GroupDraft>>({
    {.name = "name",
     .kind = InGroup::text<read_name, &GroupDraft::name>("string"),
     .help = "for `[[policy]]`; no peer's, and at most 64 bytes",
     .required = R"(name the group: name = "staff")"},
    {.name = "peers",
     .kind = InGroup::list<read_name, &GroupDraft::peers>("list of names"),
     .help = "the peers in it, in whichever file they stand",
     .required = R"(name its peers: peers = ["anna", "ben"])"},
});

using InGateway = Kinds<GatewayConfig>;
inline constexpr auto gateway_keys = std::to_array<Key<GatewayConfig>>({
    {.name = "forward",
     .kind = InGateway::boolean<&GatewayConfig::forward>(),
     .help = "IP forwarding, for what comes from or goes to the tunnel or a client device"},
    {.name = "forward_others",
     .kind = InGateway::boolean<&GatewayConfig::forward_others>(),
     .help = "also between other devices of the machine. Only where `forward` turned it on: what "
             "was forwarded before stays"},
    {.name = "masquerade",
     .kind = InGateway::list<read_prefix, &GatewayConfig::masquerade>("list of prefixes"),
     .help = "inner sources that came by the tunnel or a client device and leave by another leave "
             "under this machine's address"},
    {.name = "clamp_mss",
     .kind = InGateway::boolean<&GatewayConfig::clamp_mss>(),
     .help = "TCP MSS of what is routed through the tunnel, to its MTU"},
    {.name = "flows_per_peer",
     .kind = InGateway::number<&GatewayConfig::flows_per_peer>(0),
     .help = "connections of an allowed IP as a whole, or of an address of a client device (IPv6: "
             "a /64), that the kernel tracks at a time, routed and relayed; a new one beyond is "
             "dropped. 0: no bound"},
    {.name = "notrack",
     .kind = InGateway::boolean<&GatewayConfig::notrack>(),
     .help = "the kernel does not track the tunnel's own datagrams (`listen_port`, both ways), "
             "which saves it an entry for each peer and a look-up for each packet. A firewall of "
             "this machine that lets answers in by `ct state established` would drop them: "
             "`thalweg check` warns, and says which rules it needs"},
});

}  // namespace tw::node
