// Where a message comes from, as a number for tables of fixed size: keyed, so that nobody outside
// knows who shares a place with whom. A network is what one owner commonly has all of: an IPv4
// address or the /64 of an IPv6 one. Behind a NAT several owners share a network, and only address
// and port together, which a cookie proves, tell them apart.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "base/random.h"
#include "crypto/primitives.h"
#include "wire/address.h"
#include "wire/be.h"

namespace tw::wg {

/// The hashes of one source. Cost of making them: two keyed BLAKE2s.
struct SourceHash {
  std::uint64_t network, endpoint;
};

class SourceHasher {
 public:
  explicit SourceHasher(RandomSource& random) {
    for (std::uint64_t& word : key_) word = random.next();
  }
  SourceHash operator()(const Endpoint& source) const noexcept {
    const ByteView address = source.address.bytes();
    std::array<std::uint8_t, 18> whole{};
    std::ranges::copy(address, whole.begin());
    store_be16(whole, address.size(), source.port);
    return {of(source.address.is_v4() ? address : address.first(8)),
            of(ByteView{whole}.first(address.size() + 2))};
  }

 private:
  std::uint64_t of(ByteView bytes) const noexcept {
    const auto key = std::bit_cast<std::array<std::uint8_t, sizeof key_>>(key_);
    return load_le64(crypto::blake2s_mac(key, bytes), 0);
  }
  std::array<std::uint64_t, 4> key_{};
};

}  // namespace tw::wg
