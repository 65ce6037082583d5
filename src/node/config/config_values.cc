#include "node/config/config_values.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <utility>

#include "base/cpu_list.h"
#include "crypto/secret.h"
#include "node/config/keys/words.h"
#include "wire/host_port.h"

namespace tw::node {
namespace {

constexpr std::size_t longest_interface_name = 15;  // IFNAMSIZ with its terminator is 16
constexpr std::size_t longest_socket_path = 107;    // sun_path with its terminator is 108
constexpr std::size_t longest_path = 4095;          // PATH_MAX with its terminator is 4,096
constexpr std::size_t longest_name = 64;
constexpr std::size_t longest_host = 253;               // RFC 1035, section 2.3.4, as text
constexpr std::size_t longest_label = 63;               // the same
constexpr std::uint32_t highest_dscp = 63;              // RFC 2474: six bits
constexpr std::size_t longest_congestion_control = 15;  // TCP_CA_NAME_MAX with its terminator is 16

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_service_char(char c) noexcept {
  return is_alphanumeric(c) || std::string_view{"-_.+*/"}.contains(c);
}
bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= longest_label && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_';
         });
}

/// RFC 1123, section 2.1, with the underscore that some zones have. A last label of digits would be
/// an IPv4 address that is none.
bool is_host_name(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty() || host.size() > longest_host) return false;
  std::string_view last;
  for (std::size_t start = 0; start <= host.size();) {
    const std::size_t end = std::min(host.find('.', start), host.size());
    last = host.substr(start, end - start);
    if (!is_label(last)) return false;
    start = end + 1;
  }
  return !std::ranges::all_of(last, is_digit);
}

/// A name that some interface may have, whoever made it, or an index in figures.
bool is_zone(std::string_view zone) {
  const auto fits = [](char c) {
    return !is_control(c) && !std::string_view{" /%\"\\"}.contains(c);
  };
  return !zone.empty() && zone.size() <= longest_interface_name && std::ranges::all_of(zone, fits);
}

/// Returns the port of a UDP service in /etc/services; empty if there is none.
std::optional<std::uint16_t> service_port(std::string_view name) {
  if (name.empty() || name.size() > longest_label || !std::ranges::all_of(name, is_service_char)) {
    return {};
  }
  servent entry{};
  servent* found = nullptr;
  std::array<char, 4096> room;
  const std::string terminated{name};
  if (::getservbyname_r(terminated.c_str(), "udp", &entry, room.data(), room.size(), &found) != 0 ||
      found == nullptr) {
    return {};
  }
  return ntohs(static_cast<std::uint16_t>(found->s_port));
}

Parsed<std::string> read_bounded_path(std::string_view text, std::size_t longest) {
  if (!text.starts_with('/') || std::ranges::any_of(text, is_control)) {
    return flaw(shown(text) + " is not an absolute path", "begin it with /");
  }
  if (text.size() > longest) {
    return flaw("a path of " + std::to_string(text.size()) + " bytes",
                "at most " + std::to_string(longest) + " fit");
  }
  return std::string{text};
}

}  // namespace

Parsed<std::uint32_t> read_decimal(std::string_view text, std::uint32_t highest) {
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end || value > highest) {
    return flaw(shown(text) + " is not a number from 0 to " + std::to_string(highest),
                "write decimal digits alone");
  }
  return value;
}

Parsed<IpAddress> read_address(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) return *address;
  return flaw(shown(text) + " is not an IP address", R"(write it as "10.9.0.1" or "fd00::1")");
}

Parsed<Prefix> read_prefix(std::string_view text) {
  if (const auto prefix = Prefix::parse(text)) return *prefix;
  return flaw(shown(text) + " is not a prefix",
              R"(write ADDRESS/BITS, such as "10.9.0.0/24" or "fd00::/64")");
}

Parsed<InterfaceAddress> read_interface_address(std::string_view text) {
  const auto prefix = Prefix::parse(text);
  const auto address = IpAddress::parse(text.substr(0, text.find('/')));
  if (!prefix || !address) {
    return flaw(shown(text) + " is not an address with a prefix length",
                R"(write ADDRESS/BITS, such as "10.9.0.1/24" or "fd00::1/64")");
  }
  if (address->is_unspecified() || address->is_loopback() || address->is_multicast()) {
    return flaw(shown(text) + " cannot be the address of a tunnel",
                "choose a private address that no other network of yours uses");
  }
  return InterfaceAddress{.address = *address, .length = prefix->length};
}

Parsed<std::uint16_t> read_port(std::string_view text) {
  const bool is_number = !text.empty() && std::ranges::all_of(text, is_digit);
  if (!is_number) {
    if (const auto port = service_port(text)) return *port;
    return flaw(shown(text) + " is neither a port nor a service of UDP in /etc/services",
                "write a number from 0 to 65535");
  }
  const auto port = read_decimal(text, 65'535);
  if (!port) return std::unexpected{port.error()};
  return static_cast<std::uint16_t>(*port);
}

Parsed<EndpointName> read_endpoint_name(std::string_view text) {
  const auto parts = HostPort::split(text);
  if (!parts) {
    return flaw(shown(text) + " is not HOST:PORT",
                R"(write "vpn.example.net:51820", "192.0.2.1:51820" or "[2001:db8::1]:51820")");
  }
  const auto port = read_port(parts->port);
  if (!port || *port == 0) {
    return flaw(shown(text) + " has no port from 1 to 65535", "write HOST:PORT");
  }
  const auto address = IpAddress::parse(parts->host);
  const bool zone_fits = !parts->has_zone || (address && !address->is_v4() &&
                                              address->is_link_local() && is_zone(parts->zone));
  if (!zone_fits || (!address && !is_host_name(parts->host))) {
    return flaw(shown(text) + " names neither an address nor a host",
                "check the spelling; only a link-local address has a zone: [fe80::1%eth0]:51820");
  }
  if (address && (address->is_unspecified() || address->is_multicast())) {
    return flaw(shown(parts->host) + " is not the address of one host",
                "write the peer's own address");
  }
  std::string host{parts->host};
  if (parts->has_zone) host.append("%").append(parts->zone);
  return EndpointName{.host = std::move(host), .port = *port};
}

Parsed<std::string> read_interface_name(std::string_view text) {
  if (text.empty() || text.size() > longest_interface_name) {
    return flaw(shown(text) + " has " + std::to_string(text.size()) + " characters",
                "the name of an interface has 1 to 15");
  }
  const auto fits = [](char c) {
    return is_alphanumeric(c) || std::string_view{"_=+.-"}.contains(c);
  };
  if (!std::ranges::all_of(text, fits) || text.front() == '-' || text == "." || text == "..") {
    return flaw(shown(text) + " has characters that no interface name may have",
                "use letters, digits and _ = + . - (not first)");
  }
  if (text == "all" || text == "default" || text == "lo") {
    return flaw(shown(text) + " means something else to the kernel", R"(choose another: "wg0")");
  }
  return std::string{text};
}

Parsed<crypto::PublicKey> read_public_key(std::string_view text) {
  const auto bytes = crypto::key_from_base64(text);
  if (!bytes) {
    return flaw("not a public key", "write the 44 characters of base64 that `wg pubkey` prints");
  }
  if (*bytes == std::array<std::uint8_t, 32>{}) {
    return flaw("a key of zeros", "write the 44 characters of base64 that `wg pubkey` prints");
  }
  return crypto::PublicKey{*bytes};
}

Parsed<Endpoint> read_metrics_endpoint(std::string_view text) {
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint || endpoint->port == 0) {
    return flaw(shown(text) + " is not ADDRESS:PORT", R"(write "127.0.0.1:9586" or "[::1]:9586")");
  }
  if (!endpoint->address.is_loopback()) {
    return flaw(shown(text) + " is not a loopback address",
                R"(metrics are for this machine only: write "127.0.0.1:PORT")");
  }
  return *endpoint;
}

Parsed<std::string> read_name(std::string_view text) {
  if (text.empty() || text.size() > longest_name || std::ranges::any_of(text, is_control)) {
    return flaw(shown(text) + " is not a name", "1 to 64 bytes, without control characters");
  }
  return std::string{text};
}

Parsed<std::string> read_absolute_path(std::string_view text) {
  return read_bounded_path(text, longest_path);
}

Parsed<std::string> read_log_path(std::string_view text) {
  if (text.empty()) return std::string{};
  return read_bounded_path(text, longest_path);
}

Parsed<std::string> read_socket_path(std::string_view text) {
  return read_bounded_path(text, longest_socket_path);
}

Parsed<std::string> read_congestion_control(std::string_view text) {
  const auto fits = [](char c) { return is_alphanumeric(c) || c == '_' || c == '-'; };
  if (text.size() > longest_congestion_control || !std::ranges::all_of(text, fits)) {
    return flaw(shown(text) + " is not a congestion control",
                "write a word of net.ipv4.tcp_available_congestion_control, such as \"bbr\"");
  }
  return std::string{text};
}

Parsed<relay::PortRange> read_port_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = read_decimal(text.substr(0, dash), 65'535);
  const auto last =
      dash == std::string_view::npos ? first : read_decimal(text.substr(dash + 1), 65'535);
  if (!first || !last || *first == 0) {
    return flaw(shown(text) + " is not a port or a range of ports",
                R"(write 443 or "8000-8100"; ports are 1 to 65535)");
  }
  if (*first > *last) {
    return flaw(shown(text) + " ends before it begins", "write the lower port first");
  }
  return relay::PortRange{.first = static_cast<std::uint16_t>(*first),
                          .last = static_cast<std::uint16_t>(*last)};
}

Parsed<relay::LogFormat> read_log_format(std::string_view text) {
  using Kind = relay::LogFormat::Mistake::Kind;
  auto format = relay::LogFormat::parse(text);
  if (format) return *std::move(format);
  std::vector<std::string> known;
  std::string list;
  for (const std::string_view name : relay::log_field_names) {
    known.emplace_back(name);
    list += (list.empty() ? "{" : ", {") + std::string{name} + '}';
  }
  const std::string& field = format.error().field;
  switch (format.error().kind) {
    case Kind::unknown_field: {
      const std::string_view near = nearest(field, known);
      const std::string meant = near.empty() ? "" : "did you mean {" + std::string{near} + "}? ";
      return flaw("there is no field " + shown(field), meant + "there are " + list);
    }
    case Kind::lone_brace:
      return flaw("a brace without its other half", "write {{ or }} for a brace in the text");
    case Kind::control_character:
      return flaw("has a control character", "a line is one line of text");
    case Kind::length:
      break;
  }
  return flaw("of " + std::to_string(text.size()) + " bytes",
              "write 1 to " + std::to_string(relay::LogFormat::longest_format));
}

Parsed<relay::ProxyTarget> read_proxy_target(std::string_view text) {
  if (const auto target = relay::ProxyTarget::parse(text)) return *target;
  return flaw(shown(text) + " is neither a prefix nor a prefix with a port",
              R"(write "10.1.0.0/16", "192.0.2.7/32:443" or "2001:db8::/32:443")");
}

Parsed<std::string> read_cipher(std::string_view text) {
  std::vector<std::string> known{std::string{crypto::automatic_engine}};
  for (const crypto::AeadCandidate& candidate : crypto::aead_candidates()) {
    known.emplace_back(candidate.name);
  }
  if (std::ranges::find(known, text) != known.end()) return std::string{text};
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "\"" : ", \"") + name + '"';
  return flaw(shown(text) + " is no cipher engine", "write one of " + list);
}

Parsed<SteerBy> read_steering(std::string_view text) { return read_word(text, steering_words); }

Parsed<std::vector<std::uint16_t>> read_cores(std::string_view text) {
  const auto listed = listed_cpus(text);
  if (!listed || listed->empty() || std::ranges::max(*listed) > most_cpu) {
    return flaw(shown(text) + " is no list of CPUs",
                R"(write CPUs and ranges of them: "2" or "0-3,6")");
  }
  std::vector<std::uint16_t> cores;
  for (const std::uint32_t cpu : *listed) {
    if (std::ranges::find(cores, cpu) != cores.end()) {
      return flaw(shown(text) + " names CPU " + std::to_string(cpu) + " twice",
                  "name each CPU once: workers take them in turn");
    }
    cores.push_back(static_cast<std::uint16_t>(cpu));
  }
  return cores;
}

Parsed<GovernorSettings::Mode> read_governor(std::string_view text) {
  return read_word(text, governor_words);
}

Parsed<lane::DscpPolicy> read_dscp(std::string_view text) {
  if (text == "clear") return lane::DscpPolicy::clear();
  if (text == "inherit") return lane::DscpPolicy::inherit();
  if (const auto number = read_decimal(text, highest_dscp)) {
    return lane::DscpPolicy::fixed(static_cast<std::uint8_t>(*number));
  }
  return flaw(shown(text) + " is no class of service",
              R"(write "clear", "inherit", or a number from 0 to 63)");
}

}  // namespace tw::node
