#include "lab/clients/options.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <system_error>

#include "lab/clients/keys.h"
#include "wire/message/wg_message.h"
#include "wire/sockaddr.h"

namespace tw::lab {
namespace {

constexpr std::uint32_t usual_mtu = 1420;
constexpr std::uint32_t padding = 16;
constexpr std::uint32_t most_datagram = 65'507;

std::unexpected<Error> refused(std::string text) {
  return make_error(Error::Kind::config, std::move(text));
}

Result<void> check_load(const ClientsOptions& options) {
  if (!options.sink) return refused("--sink ADDR:PORT says where the inner packets go");
  if (!options.sink->address.is_v4()) return refused("--sink takes an IPv4 address");
  if (options.sink->port == 0 || options.sink->port == 65'535) {
    return refused("--sink: the port and the next one are used: 1 to 65534");
  }
  const std::uint32_t train = options.interleave ? 1 : options.burst;
  if (train * options.wire_size() > most_datagram) {
    return refused(fmt::format("--burst: {} packets of {} bytes do not fit one send; at most {}",
                               train, options.size, most_datagram / options.wire_size()));
  }
  if (!options.sealed_ahead) return {};
  const Duration all = options.warmup + options.duration;
  if (all > ClientsOptions::most_ahead) {
    return refused("--sealed-ahead: a keypair is used for 120 s; at most 110 s with the warm-up");
  }
  const std::uint64_t bytes = options.packets_in(all) * options.wire_size();
  if (bytes > options.ahead_bytes) {
    return refused(fmt::format(
        "--sealed-ahead: every packet is sealed once and kept, which takes {} MB of memory and "
        "--ahead-memory allows {}: lower --rate or --duration, or allow more",
        bytes >> 20U, options.ahead_bytes >> 20U));
  }
  return {};
}

}  // namespace

std::uint32_t ClientsOptions::socket_count() const noexcept {
  const std::uint32_t most = sockets == 0 ? default_sockets : sockets;
  return std::clamp(std::min(peers, most), 1U, most_peers);
}

std::uint32_t ClientsOptions::padded_size() const noexcept {
  const std::uint32_t padded = (size + padding - 1) / padding * padding;
  return std::max(size, std::min(padded, usual_mtu));
}

std::uint32_t ClientsOptions::wire_size() const noexcept {
  return static_cast<std::uint32_t>(wg_data_header_size + padded_size() + wg_tag_size);
}

std::uint64_t ClientsOptions::packets_in(Duration time) const noexcept {
  const double seconds = std::chrono::duration<double>(time).count();
  return static_cast<std::uint64_t>(rate_bps * seconds / (8.0 * size));
}

Result<void> check_identity(const ClientsOptions& options) {
  if (!options.addresses.address.is_v4()) return refused("--addresses takes an IPv4 prefix");
  const std::uint64_t needed = std::uint64_t{options.peers} + 1;
  const std::uint64_t available = address_count(options.addresses);
  if (needed <= available) return {};
  return refused(fmt::format("--addresses {} has {} addresses; {} peers and a bystander need {}",
                             options.addresses.text(), available, options.peers, needed));
}

Result<void> check(const ClientsOptions& options) {
  if (options.peers == 0 && options.flood == FloodKind::none && !options.bystander) {
    return refused("nothing to do: no peers, no bystander and no flood");
  }
  if (options.handshakes_only && options.peers == 0) {
    return refused("--handshakes-only needs peers");
  }
  if (Result<void> identity = check_identity(options); !identity) return identity;
  if (options.flood == FloodKind::spoofed) {
    if (!options.target.address.is_v4()) return refused("--flood spoofed needs an IPv4 target");
    if (!options.spoof_from.address.is_v4()) return refused("--spoof-from takes an IPv4 prefix");
  }
  if (options.sends_load() || options.bystander) return check_load(options);
  return {};
}

Result<Endpoint> resolve(const std::string& text) {
  if (const auto numeric = Endpoint::parse(text)) return *numeric;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) {
    return refused(fmt::format("{}: not an ADDR:PORT", text));
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string host = text.substr(0, colon), port = text.substr(colon + 1);
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return refused(fmt::format("{}: {}", text, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    const auto endpoint = from_sockaddr(entry->ai_addr, entry->ai_addrlen);
    if (endpoint && endpoint->port != 0) return *endpoint;
  }
  return refused(fmt::format("{}: no IP address", text));
}

std::optional<double> parse_rate(std::string_view text) {
  double factor = 1;
  switch (text.empty() ? '\0' : text.back()) {
    case 'k':
      factor = 1e3;
      break;
    case 'M':
      factor = 1e6;
      break;
    case 'G':
      factor = 1e9;
      break;
    default:
      break;
  }
  if (factor > 1) text.remove_suffix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!(number >= 0) || number * factor > 1e12) return std::nullopt;
  return number * factor;
}

}  // namespace tw::lab
