#include "relay/log/limit_warnings.h"

#include "base/log.h"

namespace tw::relay {
namespace {

constexpr Duration warning_pause = 1min;

bool is_due(Instant& again, Instant now) noexcept {
  if (now < again) return false;
  again = now + warning_pause;
  return true;
}

}  // namespace

void LimitWarnings::too_many_of_client(const IpAddress& client, std::size_t connections,
                                       std::uint64_t refused, Instant now) {
  if (!is_due(crowd_again_, now)) return;
  log::warning(
      "relay: {} and its like have {} connections, as many as one client may "
      "(relay.max_connections_per_client): "
      "further ones are refused; {} so far, of all clients",
      client.text(), connections, refused);
}

void LimitWarnings::too_many_of_pop(std::string_view name, const LegCounts::Legs& legs,
                                    Instant now) {
  if (!is_due(crowd_again_, now)) return;
  log::warning(
      "relay: PoP {} has {} legs here, {} of them without a target, as many as one PoP may "
      "(relay.max_connections_per_pop, max_waiting_legs_per_pop): further ones are refused",
      name, legs.all, legs.waiting);
}

void LimitWarnings::no_descriptors(Instant now) {
  if (!is_due(descriptors_again_, now)) return;
  log::warning(
      "relay: no descriptors left for further connections: they are reset, until some have ended; "
      "raise the limit of open files (LimitNOFILE), or lower relay.max_connections");
}

}  // namespace tw::relay
