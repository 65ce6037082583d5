// The ids of a node's contexts. The steering table names lanes by theirs, so those count from 0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/context.h"

namespace tw::node {

constexpr ContextId lane_context(std::size_t number) noexcept {
  return ContextId{static_cast<std::uint16_t>(number)};
}
inline constexpr ContextId handshake_context{0xff00};
inline constexpr ContextId relay_context{0xff01};

}  // namespace tw::node
