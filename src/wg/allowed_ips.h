// Cryptokey routing: inner address → peer, longest prefix first, IPv4 and IPv6.
//
// One path-compressed binary trie per family. Nodes lie in a vector and name each other by index,
// which keeps them small and together; the nodes of one peer are a list of their own, so that
// removing a peer costs as much as it has prefixes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "wg/protocol.h"
#include "wire/address.h"

namespace tw::wg {

/// A prefix belongs to one peer at a time: adding it for another moves it. Lookups by the context
/// that owns the table only.
class AllowedIps {
 public:
  AllowedIps();
  ~AllowedIps();
  AllowedIps(AllowedIps&&) noexcept;
  AllowedIps& operator=(AllowedIps&&) noexcept;

  void insert(const Prefix& prefix, PeerId peer);
  /// Nothing happens if the prefix belongs to another peer or to none.
  void remove(const Prefix& prefix, PeerId peer) noexcept;
  void remove_peer(PeerId peer) noexcept;

  /// `address`: 4 or 16 bytes in network order; anything else is in no prefix. Cost: one node per
  /// distinct prefix on the way.
  std::optional<PeerId> lookup(ByteView address) const noexcept;
  std::size_t size() const noexcept;

 private:
  struct Tries;
  std::unique_ptr<Tries> tries_;
};

}  // namespace tw::wg
