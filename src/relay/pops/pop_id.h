// Names a PoP in connections and counters, in the log and between the parts of a relay. A PoP has
// the same id as long as the relay lives: after a reload, and after it was taken out of the
// configuration and put back.
#pragma once

#include <cstdint>

namespace tw::relay {

enum class PopId : std::uint32_t {};

}  // namespace tw::relay
