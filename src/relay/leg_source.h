// Where the relay's decisions get the onward half of a connection. They say for whom and where to,
// and know nothing of where a leg comes from: a fresh connection today, a pool of warm ones is one
// more class.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/address.h"

namespace tw::relay {

struct LegRequest {
  Endpoint client;  ///< who asked for it; told to the next PoP
  Endpoint target;
};

/// An onward connection, being made or made already.
struct Leg {
  UniqueFd socket;                   ///< non-blocking; writable once it is connected
  std::vector<std::uint8_t> header;  ///< goes out before the client's bytes; may be empty
};

class LegSource {
 public:
  virtual ~LegSource() = default;
  /// Never blocks. Fails if the connection could not even be begun.
  virtual Result<Leg> acquire(const LegRequest& request) = 0;
};

}  // namespace tw::relay
