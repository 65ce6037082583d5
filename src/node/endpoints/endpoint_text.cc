#include "node/endpoints/endpoint_text.h"

#include <net/if.h>

#include <array>

#include "wire/host_port.h"

namespace tw::node {

std::optional<std::uint32_t> zone_index(std::string_view zone) {
  if (zone.empty() || zone.contains('\0')) return {};
  if (zone.size() < IFNAMSIZ) {
    if (const unsigned index = ::if_nametoindex(std::string{zone}.c_str()); index != 0) {
      return index;
    }
  }
  return numeric_zone(zone);
}

std::optional<Endpoint> read_endpoint(std::string_view text) {
  std::optional<Endpoint> endpoint = parse_endpoint(text, zone_index);
  if (!endpoint) return {};
  endpoint->address = endpoint->address.unmapped();
  if (endpoint->address.is_v4() || !endpoint->address.is_link_local()) endpoint->scope_id = 0;
  return endpoint;
}

std::string endpoint_text(const Endpoint& endpoint) {
  std::array<char, IFNAMSIZ> name{};
  if (endpoint.scope_id == 0 || ::if_indextoname(endpoint.scope_id, name.data()) == nullptr) {
    return endpoint.text();
  }
  return '[' + endpoint.address.text() + '%' + name.data() + "]:" + std::to_string(endpoint.port);
}

}  // namespace tw::node
