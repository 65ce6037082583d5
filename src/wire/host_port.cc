#include "wire/host_port.h"

#include "wire/decimal.h"

namespace tw {

std::optional<HostPort> HostPort::split(std::string_view text) noexcept {
  HostPort parts;
  parts.bracketed = text.starts_with('[');
  const std::size_t end = text.find(']');
  if (parts.bracketed &&
      (end == std::string_view::npos || !text.substr(end + 1).starts_with(':'))) {
    return {};
  }
  const std::size_t colon = parts.bracketed ? end + 1 : text.rfind(':');
  if (colon == std::string_view::npos) return {};
  parts.host = parts.bracketed ? text.substr(1, end - 1) : text.substr(0, colon);
  parts.port = text.substr(colon + 1);
  if (const std::size_t percent = parts.host.find('%'); percent != std::string_view::npos) {
    parts.has_zone = true;
    parts.zone = parts.host.substr(percent + 1);
    parts.host = parts.host.substr(0, percent);
  }
  return parts;
}

std::optional<std::uint32_t> numeric_zone(std::string_view zone) {
  return parse_decimal(zone, UINT32_MAX);
}

std::optional<Endpoint> parse_endpoint(std::string_view text, ZoneLookup zones) {
  const auto parts = HostPort::split(text);
  if (!parts) return {};
  const auto port = parse_decimal(parts->port, 0xffff);
  const auto address = IpAddress::parse(parts->host);
  if (!port || !address || address->is_v4() == parts->bracketed) return {};
  if (parts->has_zone && address->is_v4()) return {};
  const auto scope_id = parts->has_zone ? zones(parts->zone) : std::optional<std::uint32_t>{0};
  if (!scope_id) return {};
  return Endpoint{*address, static_cast<std::uint16_t>(*port), *scope_id};
}

}  // namespace tw
