// Tells an operator that a limit has been reached: each sentence at most once a minute, whatever
// comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/time.h"
#include "relay/admission/leg_counts.h"
#include "wire/address.h"

namespace tw::relay {

class LimitWarnings {
 public:
  /// A client has `connections`, as many as one may; `refused`: of all clients, so far.
  void too_many_of_client(const IpAddress& client, std::size_t connections, std::uint64_t refused,
                          Instant now);
  /// A PoP has these legs here, as many as one may. Shares its minute with too_many_of_client().
  void too_many_of_pop(std::string_view name, const LegCounts::Legs& legs, Instant now);
  /// No descriptor is left for what was to be accepted.
  void no_descriptors(Instant now);

 private:
  Instant crowd_again_, descriptors_again_;
};

}  // namespace tw::relay
