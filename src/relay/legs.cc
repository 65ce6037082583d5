#include "relay/legs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "relay/sockets.h"
#include "wire/proxy_v2.h"

namespace tw::relay {

Result<Leg> DirectLegs::acquire(const LegRequest& request) {
  auto socket = open_onward({.target = request.target, .limits = &limits_});
  if (!socket) return std::unexpected(std::move(socket.error()));
  return Leg{*std::move(socket), {}};
}

PopLegs::PopLegs(const RelaySettings& settings, const PopSettings& pop)
    : device_(settings.tun_device),
      our_addresses_(settings.leg_addresses),
      pop_{pop.overlay_address, settings.leg_port, 0},
      turbo_(settings.turbo),
      limits_(settings.limits) {}

Result<Leg> PopLegs::acquire(const LegRequest& request) {
  const auto ours = std::ranges::find(our_addresses_, pop_.address.family(), &IpAddress::family);
  if (ours == our_addresses_.end()) {
    return make_error(Error::Kind::unavailable,
                      "connect to " + pop_.text() + ": no overlay address of its family is ours");
  }
  auto socket = open_onward({.target = pop_,
                             .device = device_,
                             .source = {*ours, 0, 0},
                             .turbo = &turbo_,
                             .limits = &limits_});
  if (!socket) return std::unexpected(std::move(socket.error()));
  std::array<std::uint8_t, proxy_max_size> header;
  const std::size_t size = write_proxy_header(
      {.local = false, .source = request.client, .target = request.target}, header);
  TW_ASSERT(size > 0);  // without extra TLVs it always fits
  return Leg{*std::move(socket), {header.begin(), header.begin() + size}};
}

}  // namespace tw::relay
