// The text of one value → the value, or what is wrong with it and how to mend that. The same
// readers serve the TOML file and the import of wg-quick's files, so that what the import writes is
// what the node takes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/config/config.h"
#include "node/config/config_mistakes.h"

namespace tw::node {

inline constexpr std::uint16_t lowest_mtu = 576;      ///< RFC 791: what every IPv4 host takes
inline constexpr std::uint16_t lowest_mtu_v6 = 1280;  ///< RFC 8200, section 5
inline constexpr std::uint16_t highest_mtu = 65'455;  ///< 65,535 − IPv6, UDP, WireGuard: 80 bytes

inline constexpr std::uint32_t most_spin_us = 1'000'000;
inline constexpr std::uint32_t most_queue_limit_us = 60'000'000;
inline constexpr std::uint16_t most_workers = 64;  ///< as many bits as a set of cores has
inline constexpr std::uint16_t most_cpu = 1023;    ///< CPU_SETSIZE - 1
inline constexpr std::size_t most_peers = std::size_t{1} << 16U;  ///< as the kernel's device

Parsed<IpAddress> read_address(std::string_view text);
/// Host bits are cleared, as `wg` does with allowed IPs.
Parsed<Prefix> read_prefix(std::string_view text);
/// An address that an interface may have, with its prefix length; without one it is a host's.
Parsed<InterfaceAddress> read_interface_address(std::string_view text);
/// Decimal digits, or the name of a service of UDP: 0 to 65535. Reads /etc/services for a name.
Parsed<std::uint16_t> read_port(std::string_view text);
/// "host:port", "192.0.2.1:51820", "[2001:db8::1]:51820" or "[fe80::1%eth0]:51820". As with `wg`,
/// brackets may be left out or stand around any host, and the port may be the name of a service.
/// Resolves no host.
Parsed<EndpointName> read_endpoint_name(std::string_view text);
/// A name the kernel and wg-quick both take, and that is no sysctl folder of its own.
Parsed<std::string> read_interface_name(std::string_view text);
/// Never shows what it was given: it may be a private key.
Parsed<crypto::PublicKey> read_public_key(std::string_view text);
/// A loopback address and a port.
Parsed<Endpoint> read_metrics_endpoint(std::string_view text);
/// A peer's or PoP's: 1 to 64 bytes without control characters.
Parsed<std::string> read_name(std::string_view text);
Parsed<std::string> read_absolute_path(std::string_view text);
/// The same, or nothing.
Parsed<std::string> read_log_path(std::string_view text);
/// An absolute path that fits an AF_UNIX address.
Parsed<std::string> read_socket_path(std::string_view text);
/// "" or a name as in net.ipv4.tcp_available_congestion_control.
Parsed<std::string> read_congestion_control(std::string_view text);
/// "80" or "8000-8100".
Parsed<relay::PortRange> read_port_range(std::string_view text);
/// Text with {fields}: relay/log/log_format.h.
Parsed<relay::LogFormat> read_log_format(std::string_view text);
/// ADDRESS/BITS, with :PORT or without.
Parsed<relay::ProxyTarget> read_proxy_target(std::string_view text);

/// "automatic", or the name of an engine that this build has.
Parsed<std::string> read_cipher(std::string_view text);
Parsed<GovernorSettings::Mode> read_governor(std::string_view text);
Parsed<SteerBy> read_steering(std::string_view text);
/// CPUs, each once: "2", "0-3,6". Not whether this machine has them.
Parsed<std::vector<std::uint16_t>> read_cores(std::string_view text);
/// "clear", "inherit", or a number below 64 for all packets.
Parsed<lane::DscpPolicy> read_dscp(std::string_view text);

/// Decimal digits alone, at most `highest`.
Parsed<std::uint32_t> read_decimal(std::string_view text, std::uint32_t highest);

}  // namespace tw::node
