#include "relay/outcome.h"

#include <array>
#include <utility>

namespace tw::relay {
namespace {

constexpr std::array<std::string_view, outcome_count> outcome_names{
    "closed",         "reset",          "refused_policy", "refused_special",
    "refused_source", "refused_proof",  "refused_client", "refused_hops",
    "bad_header",     "connect_failed", "limit",          "client_limit",
    "pop_limit",      "idle",           "unclaimed",      "revoked",
    "shutdown"};
static_assert(std::to_underlying(Outcome::shutdown) + std::size_t{1} == outcome_count);

}  // namespace

std::string_view name_of(Outcome outcome) noexcept {
  return outcome_names[std::to_underlying(outcome)];
}

}  // namespace tw::relay
