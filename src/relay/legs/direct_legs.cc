#include "relay/legs/direct_legs.h"

#include <cstdint>

#include "relay/legs/client_header.h"
#include "relay/sockets/sockets.h"

namespace tw::relay {

Result<Leg> DirectLegs::acquire(const LegRequest& request, Instant /*now*/) {
  const bool told = wants_proxy_header(proxy_protocol_, request.target);
  std::uint32_t bound_from = 0;
  auto socket = open_onward({.target = request.target,
                             .fast_open = request.fast_open && !told,
                             .bound_from = request.unclaimed ? &bound_from : nullptr});
  if (!socket) return std::unexpected(std::move(socket.error()));
  return Leg{.socket = *std::move(socket),
             .header = told ? client_header(request) : FirstBytes{},
             .bound_from = bound_from};
}

}  // namespace tw::relay
