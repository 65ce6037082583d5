#include "relay/stream/client_index.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace tw::relay {
namespace {

ClientKey key_of(std::uint16_t port, std::uint8_t host = 9) {
  return {{IpAddress::v4({10, 0, 0, 2}), port, 0}, {IpAddress::v4({192, 0, 2, host}), 443, 0}};
}

TEST(ClientIndex, FindsWhatWasInserted) {
  ClientIndex index;
  index.insert(key_of(1000), {7, 1});
  EXPECT_EQ(index.find(key_of(1000)), (ConnectionId{7, 1}));
  EXPECT_FALSE(index.find(key_of(1001)));
  EXPECT_FALSE(index.find(key_of(1000, 8))) << "another target";
  EXPECT_TRUE(index.erase(key_of(1000)));
  EXPECT_FALSE(index.erase(key_of(1000)));
  EXPECT_FALSE(index.find(key_of(1000)));
}

TEST(ClientIndex, KnowsIpv6FromIpv4) {
  ClientIndex index;
  const ClientKey v6{{*IpAddress::parse("fd00::2"), 1, 0},
                     {*IpAddress::parse("2001:db8::1"), 2, 0}};
  ClientKey other = v6;
  other.target.address = *IpAddress::parse("2001:db8:0:0:1::1");
  index.insert(v6, {1, 1});
  index.insert(other, {2, 1});
  EXPECT_EQ(index.find(v6), (ConnectionId{1, 1}));
  EXPECT_EQ(index.find(other), (ConnectionId{2, 1}));
}

// Against a map, through thousands of insertions and removals in random order.
TEST(ClientIndex, AgreesWithAMap) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random{seed};
    ClientIndex index;
    std::map<std::uint16_t, ConnectionId> known;
    for (std::uint32_t step = 0; step < 4000; ++step) {
      const auto port = static_cast<std::uint16_t>(random.next() % 500);
      const auto found = known.find(port);
      ASSERT_EQ(index.find(key_of(port)).has_value(), found != known.end());
      if (found == known.end()) {
        index.insert(key_of(port), {step, 1});
        known[port] = {step, 1};
      } else {
        ASSERT_EQ(*index.find(key_of(port)), found->second);
        ASSERT_TRUE(index.erase(key_of(port)));
        known.erase(found);
      }
      ASSERT_EQ(index.size(), known.size());
    }
    for (const auto& [port, id] : known) ASSERT_EQ(index.find(key_of(port)), id);
    index.clear();
    EXPECT_EQ(index.size(), 0U);
    EXPECT_FALSE(index.find(key_of(known.begin()->first)));
  }
}

}  // namespace
}  // namespace tw::relay
