// The PROXY v2 header that an onward connection begins with: it names the client and its target.
#pragma once

#include "base/bytes.h"
#include "relay/legs/leg_source.h"
#include "relay/stream/first_bytes.h"

namespace tw::relay {

/// Returns the header of a request. `tlvs` follow its addresses; those of a leg always fit.
FirstBytes client_header(const LegRequest& request, ByteView tlvs = {});

}  // namespace tw::relay
