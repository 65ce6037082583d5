#include "wg/allowed_ips.h"

#include "wg/prefix_trie.h"

namespace tw::wg {
namespace {

std::uint64_t word_of(ByteView bytes) noexcept {
  std::uint64_t word = 0;
  for (const std::uint8_t byte : bytes) word = (word << 8U) | byte;
  return word;
}

TrieKey key_of_v4(ByteView octets) noexcept { return {word_of(octets) << 32U, 0}; }
TrieKey key_of_v6(ByteView octets) noexcept {
  return {word_of(octets.first(8)), word_of(octets.subspan(8))};
}
TrieKey key_of(const IpAddress& address) noexcept {
  return address.is_v4() ? key_of_v4(address.bytes()) : key_of_v6(address.bytes());
}

}  // namespace

struct AllowedIps::Tries {
  PrefixTrie v4;
  PrefixTrie v6;
  PrefixTrie& of(const Prefix& prefix) noexcept { return prefix.address.is_v4() ? v4 : v6; }
};

AllowedIps::AllowedIps() : tries_(std::make_unique<Tries>()) {}
AllowedIps::~AllowedIps() = default;
AllowedIps::AllowedIps(AllowedIps&&) noexcept = default;
AllowedIps& AllowedIps::operator=(AllowedIps&&) noexcept = default;

void AllowedIps::insert(const Prefix& prefix, PeerId peer) {
  tries_->of(prefix).insert(key_of(prefix.address), prefix.length, peer);
}

void AllowedIps::remove(const Prefix& prefix, PeerId peer) noexcept {
  tries_->of(prefix).remove(key_of(prefix.address), prefix.length, peer);
}

void AllowedIps::remove_peer(PeerId peer) noexcept {
  tries_->v4.remove_peer(peer);
  tries_->v6.remove_peer(peer);
}

std::optional<PeerId> AllowedIps::lookup(ByteView address) const noexcept {
  if (address.size() == 4) return tries_->v4.lookup(key_of_v4(address));
  if (address.size() == 16) return tries_->v6.lookup(key_of_v6(address));
  return std::nullopt;
}

std::size_t AllowedIps::size() const noexcept { return tries_->v4.size() + tries_->v6.size(); }

}  // namespace tw::wg
