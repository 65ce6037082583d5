#include "wg/prefix_trie.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace tw::wg {
namespace {

unsigned bit_at(const TrieKey& key, unsigned place) noexcept {
  const std::uint64_t word = place < 64 ? key.high : key.low;
  return static_cast<unsigned>(word >> (63U - place % 64)) & 1U;
}

/// Returns how many leading bits two keys share: 0 to 128.
unsigned common_bits(const TrieKey& left, const TrieKey& right) noexcept {
  if (left.high != right.high) {
    return static_cast<unsigned>(std::countl_zero(left.high ^ right.high));
  }
  return 64U + static_cast<unsigned>(std::countl_zero(left.low ^ right.low));
}

TrieKey first_bits(const TrieKey& key, unsigned length) noexcept {
  constexpr std::uint64_t ones = ~std::uint64_t{0};
  if (length == 0) return {};
  if (length <= 64) return {key.high & (ones << (64U - length)), 0};
  return {key.high, key.low & (ones << (128U - length))};
}

}  // namespace

PrefixTrie::Index PrefixTrie::make(const TrieKey& key, unsigned length) {
  Index index = free_;
  if (index != none) {
    free_ = nodes_[index].parent;
    nodes_[index] = Node{};
  } else {
    TW_ASSERT(nodes_.size() < none);
    index = static_cast<Index>(nodes_.size());
    nodes_.emplace_back();
  }
  ++nodes_in_use_;
  nodes_[index].key = key;
  nodes_[index].length = static_cast<std::uint8_t>(length);
  return index;
}

void PrefixTrie::free(Index index) noexcept {
  --nodes_in_use_;
  nodes_[index] = Node{};
  nodes_[index].parent = free_;
  free_ = index;
}

void PrefixTrie::replace(Index parent, Index old, Index index) noexcept {
  if (parent == none) {
    root_ = index;
  } else {
    auto& children = nodes_[parent].child;
    children[children[0] == old ? 0 : 1] = index;
  }
  if (index != none) nodes_[index].parent = parent;
}

void PrefixTrie::hang(Index parent, Index child) noexcept {
  nodes_[parent].child[bit_at(nodes_[child].key, nodes_[parent].length)] = child;
  nodes_[child].parent = parent;
}

void PrefixTrie::give(Index index, PeerId peer) {
  const auto [first, added] = first_of_peer_.try_emplace(peer.value, index);
  Node& node = nodes_[index];
  node.peer = peer;
  node.has_peer = true;
  node.previous_of_peer = none;
  node.next_of_peer = added ? none : first->second;
  if (!added) nodes_[first->second].previous_of_peer = index;
  first->second = index;
  ++size_;
}

void PrefixTrie::take(Index index) noexcept {
  Node& node = nodes_[index];
  if (node.previous_of_peer != none) {
    nodes_[node.previous_of_peer].next_of_peer = node.next_of_peer;
  } else if (node.next_of_peer != none) {
    first_of_peer_.find(node.peer.value)->second = node.next_of_peer;
  } else {
    first_of_peer_.erase(node.peer.value);
  }
  if (node.next_of_peer != none) nodes_[node.next_of_peer].previous_of_peer = node.previous_of_peer;
  node.has_peer = false;
  --size_;
}

void PrefixTrie::insert(const TrieKey& full_key, unsigned length, PeerId peer) {
  TW_ASSERT(length <= 128);
  const TrieKey key = first_bits(full_key, length);
  Index parent = none;
  Index at = root_;
  unsigned shared = 0;
  while (at != none) {
    shared = std::min({common_bits(key, nodes_[at].key), length, unsigned{nodes_[at].length}});
    if (shared < nodes_[at].length || length == shared) break;
    parent = at;
    at = nodes_[at].child[bit_at(key, nodes_[at].length)];
  }
  if (at != none && shared == length && nodes_[at].length == length) {
    if (nodes_[at].has_peer) take(at);
    give(at, peer);
    return;
  }
  const Index leaf = make(key, length);
  if (at == none) {
    if (parent == none) {
      root_ = leaf;
    } else {
      hang(parent, leaf);
    }
  } else if (shared == length) {  // the new prefix contains the one found
    replace(parent, at, leaf);
    hang(leaf, at);
  } else {  // they part after `shared` bits
    const Index fork = make(first_bits(key, shared), shared);
    replace(parent, at, fork);
    hang(fork, at);
    hang(fork, leaf);
  }
  give(leaf, peer);
}

void PrefixTrie::prune(Index index) noexcept {
  while (index != none && !nodes_[index].has_peer) {
    const Node node = nodes_[index];
    if (node.child[0] != none && node.child[1] != none) return;
    const Index only = node.child[0] != none ? node.child[0] : node.child[1];
    replace(node.parent, index, only);
    free(index);
    // Without a child the parent has lost a subtree and may have become superfluous too.
    index = only == none ? node.parent : none;
  }
}

void PrefixTrie::remove(const TrieKey& full_key, unsigned length, PeerId peer) noexcept {
  const TrieKey key = first_bits(full_key, length);
  Index at = root_;
  while (at != none && nodes_[at].length < length) {
    at = nodes_[at].child[bit_at(key, nodes_[at].length)];
  }
  if (at == none || nodes_[at].length != length || nodes_[at].key != key) return;
  if (!nodes_[at].has_peer || nodes_[at].peer != peer) return;
  take(at);
  prune(at);
}

void PrefixTrie::remove_peer(PeerId peer) noexcept {
  for (auto first = first_of_peer_.find(peer.value); first != first_of_peer_.end();
       first = first_of_peer_.find(peer.value)) {
    const Index index = first->second;
    take(index);
    prune(index);
  }
}

std::optional<PeerId> PrefixTrie::lookup(const TrieKey& address) const noexcept {
  std::optional<PeerId> found;
  for (Index at = root_; at != none;) {
    const Node& node = nodes_[at];
    if (common_bits(address, node.key) < node.length) break;
    if (node.has_peer) found = node.peer;
    if (node.length == 128) break;
    at = node.child[bit_at(address, node.length)];
  }
  return found;
}

}  // namespace tw::wg
