// A path-compressed binary trie from prefixes of up to 128 bits to peers, and for each peer the
// list of its prefixes. IPv4 uses the upper 32 bits. Private to allowed_ips.cc.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

#include "wg/protocol.h"

namespace tw::wg {

/// The first `length` bits of an address, most significant first; the rest is zero.
struct TrieKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend constexpr bool operator==(const TrieKey&, const TrieKey&) noexcept = default;
};

class PrefixTrie {
 public:
  void insert(const TrieKey& key, unsigned length, PeerId peer);
  void remove(const TrieKey& key, unsigned length, PeerId peer) noexcept;
  void remove_peer(PeerId peer) noexcept;
  std::optional<PeerId> lookup(const TrieKey& address) const noexcept;
  std::size_t size() const noexcept { return size_; }
  /// Nodes in use: with those that join two subtrees, less than twice the prefixes.
  std::size_t node_count() const noexcept { return nodes_in_use_; }

 private:
  using Index = std::uint32_t;
  static constexpr Index none = std::numeric_limits<Index>::max();

  /// A node without a peer joins two subtrees and always has both.
  struct Node {
    TrieKey key;
    std::array<Index, 2> child{none, none};
    Index parent = none;
    Index next_of_peer = none;
    Index previous_of_peer = none;
    PeerId peer;
    std::uint8_t length = 0;
    bool has_peer = false;
  };

  Index make(const TrieKey& key, unsigned length);
  void free(Index index) noexcept;
  /// Puts `index` where the node `old` hangs below its parent, or at the root.
  void replace(Index parent, Index old, Index index) noexcept;
  void hang(Index parent, Index child) noexcept;
  void give(Index index, PeerId peer);
  void take(Index index) noexcept;
  void prune(Index index) noexcept;

  std::vector<Node> nodes_;
  Index root_ = none;
  Index free_ = none;  // free nodes, chained by `parent`
  std::unordered_map<std::uint32_t, Index> first_of_peer_;
  std::size_t size_ = 0;
  std::size_t nodes_in_use_ = 0;
};

}  // namespace tw::wg
