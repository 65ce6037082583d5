// Sizes of what a lane handles in one go.
#pragma once

#include <cstddef>

namespace tw::lane {

/// Bytes of a buffer: a UDP_GRO train, or a TUN packet with offloads.
inline constexpr std::size_t buffer_bytes = 65536;
/// Bytes of a batch, so that what one stage has touched is in the cache for the next.
inline constexpr std::size_t batch_bytes = std::size_t{256} << 10U;

}  // namespace tw::lane
