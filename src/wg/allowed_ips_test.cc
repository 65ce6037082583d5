#include "wg/allowed_ips.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace tw::wg {
namespace {

Prefix prefix(std::string_view text) { return Prefix::parse(text).value(); }

class AllowedIpsTest : public testing::Test {
 protected:
  void add(std::string_view text, std::uint32_t peer) { table.insert(prefix(text), PeerId{peer}); }
  std::optional<std::uint32_t> at(std::string_view address) const {
    const auto found = table.lookup(IpAddress::parse(address).value().bytes());
    return found ? std::optional{found->value} : std::nullopt;
  }
  AllowedIps table;
};

TEST_F(AllowedIpsTest, LongestPrefixWins) {
  add("0.0.0.0/0", 1);
  add("10.0.0.0/8", 2);
  add("10.1.0.0/16", 3);
  add("10.1.2.3/32", 4);
  EXPECT_EQ(at("192.0.2.1"), 1U);
  EXPECT_EQ(at("10.2.0.1"), 2U);
  EXPECT_EQ(at("10.1.2.4"), 3U);
  EXPECT_EQ(at("10.1.2.3"), 4U);
  EXPECT_EQ(table.size(), 4U);
}

TEST_F(AllowedIpsTest, FamiliesDoNotMix) {
  add("::/0", 1);
  EXPECT_EQ(at("10.0.0.1"), std::nullopt);
  add("fd00::/64", 2);
  add("fd00::8000:0:0:0/65", 3);
  add("fd00::1/128", 4);
  EXPECT_EQ(at("fd00::2"), 2U);
  EXPECT_EQ(at("fd00::8000:0:0:2"), 3U);
  EXPECT_EQ(at("fd00::1"), 4U);
  EXPECT_EQ(at("2001:db8::"), 1U);
}

TEST_F(AllowedIpsTest, NothingMatchesNothing) {
  EXPECT_EQ(at("10.0.0.1"), std::nullopt);
  add("10.0.0.0/24", 1);
  add("10.0.1.0/24", 2);
  EXPECT_EQ(at("10.0.2.1"), std::nullopt);
  EXPECT_EQ(at("11.0.0.1"), std::nullopt);
  EXPECT_EQ(table.lookup({}), std::nullopt);
  const std::array<std::uint8_t, 5> odd{10, 0, 0, 1, 0};
  EXPECT_EQ(table.lookup(odd), std::nullopt);
}

TEST_F(AllowedIpsTest, AddingForAnotherPeerMovesThePrefix) {
  add("10.0.0.0/8", 1);
  add("10.0.0.0/8", 2);
  EXPECT_EQ(at("10.0.0.1"), 2U);
  EXPECT_EQ(table.size(), 1U);
  table.remove(prefix("10.0.0.0/8"), PeerId{1});
  EXPECT_EQ(at("10.0.0.1"), 2U) << "it is no longer peer 1's to remove";
  table.remove_peer(PeerId{1});
  EXPECT_EQ(at("10.0.0.1"), 2U);
}

TEST_F(AllowedIpsTest, RemoveTakesOnlyThatPrefix) {
  add("10.0.0.0/8", 1);
  add("10.0.0.0/16", 1);
  table.remove(prefix("10.0.0.0/12"), PeerId{1});
  EXPECT_EQ(table.size(), 2U);
  table.remove(prefix("10.0.0.0/16"), PeerId{1});
  EXPECT_EQ(at("10.0.0.1"), 1U);
  table.remove(prefix("10.0.0.0/8"), PeerId{1});
  EXPECT_EQ(at("10.0.0.1"), std::nullopt);
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(AllowedIpsTest, RemovePeerTakesBothFamilies) {
  add("10.0.0.0/8", 1);
  add("10.5.0.0/16", 2);
  add("fd00::/8", 1);
  add("fd00::/16", 2);
  table.remove_peer(PeerId{1});
  EXPECT_EQ(at("10.0.0.1"), std::nullopt);
  EXPECT_EQ(at("10.5.0.1"), 2U);
  EXPECT_EQ(at("fd00::1"), 2U);
  EXPECT_EQ(at("fd01::1"), std::nullopt);
  EXPECT_EQ(table.size(), 2U);
}

using Reference = std::map<Prefix, std::uint32_t>;

std::optional<PeerId> naive_lookup(const Reference& reference, const IpAddress& address) {
  std::optional<PeerId> best;
  int length = -1;
  for (const auto& [candidate, peer] : reference) {
    if (candidate.length > length && candidate.contains(address)) {
      best = PeerId{peer};
      length = candidate.length;
    }
  }
  return best;
}

// Few distinct bits, so that prefixes nest, collide and part in every way.
IpAddress crowded_address(SeededRandom& random, bool v4) {
  std::array<std::uint8_t, 16> octets{};
  for (std::uint8_t& octet : octets) octet = random.next() % 4 == 0 ? 0x81 : 0;
  return IpAddress::from_bytes(ByteView{octets}.first(v4 ? 4 : 16));
}

TEST_F(AllowedIpsTest, AgreesWithAListOverRandomChanges) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random{seed};
    AllowedIps trie;
    Reference reference;
    for (int step = 0; step < 400; ++step) {
      const IpAddress address = crowded_address(random, random.next() % 2 == 0);
      const auto length = static_cast<std::uint8_t>(random.next() % (address.bits() + 1));
      const Prefix changed = Prefix::of(address, length);
      const auto peer = static_cast<std::uint32_t>(random.next() % 12);
      switch (random.next() % 8) {
        case 0:
          trie.remove_peer(PeerId{peer});
          std::erase_if(reference, [peer](const auto& entry) { return entry.second == peer; });
          break;
        case 1:
        case 2:
          trie.remove(changed, PeerId{peer});
          if (reference.contains(changed) && reference[changed] == peer) reference.erase(changed);
          break;
        default:
          trie.insert(changed, PeerId{peer});
          reference[changed] = peer;
      }
      ASSERT_EQ(trie.size(), reference.size());
      const IpAddress asked = crowded_address(random, random.next() % 2 == 0);
      ASSERT_EQ(trie.lookup(asked.bytes()), naive_lookup(reference, asked)) << seed << "/" << step;
    }
  }
}

TEST_F(AllowedIpsTest, TenThousandPeersComeAndGo) {
  for (std::uint32_t peer = 0; peer < 10'000; ++peer) {
    const auto high = static_cast<std::uint8_t>(peer >> 8U);
    const auto low = static_cast<std::uint8_t>(peer);
    table.insert(Prefix::of(IpAddress::v4({10, high, low, 0}), 24), PeerId{peer});
    table.insert(Prefix::of(IpAddress::v4({172, 16, high, low}), 32), PeerId{peer});
  }
  EXPECT_EQ(at("10.39.15.200"), 9999U);
  for (std::uint32_t peer = 0; peer < 10'000; ++peer) table.remove_peer(PeerId{peer});
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(at("10.0.0.1"), std::nullopt);
}

}  // namespace
}  // namespace tw::wg
