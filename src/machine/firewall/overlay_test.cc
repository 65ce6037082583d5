#include "machine/firewall/overlay.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <string>

#include "base/random.h"

namespace tw {
namespace {

Prefix net(std::string_view text) { return *Prefix::parse(text); }

std::string text_of(const std::vector<OverlayRange>& ranges) {
  std::string text;
  for (const OverlayRange& range : ranges) {
    text += range.first.text() + "-" + range.last.text() + "=" + std::to_string(range.peer) + " ";
  }
  return text;
}

TEST(Overlay, TheLongestPrefixOwnsAnAddress) {
  EXPECT_EQ(text_of(overlay_ranges({{net("10.0.0.0/8"), 1},
                                    {net("10.1.0.0/16"), 2},
                                    {net("10.1.2.3/32"), 3},
                                    {net("fd00::/8"), 1}})),
            "10.0.0.0-10.0.255.255=1 10.1.0.0-10.1.2.2=2 10.1.2.3-10.1.2.3=3 "
            "10.1.2.4-10.1.255.255=2 10.2.0.0-10.255.255.255=1 "
            "fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff=1 ");
}

TEST(Overlay, NetworksOfOtherDevicesAreHolesInWhatHoldsThem) {
  const std::vector<Prefix> elsewhere{net("192.168.1.0/24"), net("172.16.0.0/12"),
                                      net("10.0.0.0/24"), net("0.0.0.0/0")};
  EXPECT_EQ(text_of(overlay_ranges({{net("192.168.0.0/16"), 1},
                                    {net("192.168.1.7/32"), 2},  // longer than the hole
                                    {net("10.0.0.0/24"), 3}},    // as long as the hole
                                   elsewhere)),
            "10.0.0.0-10.0.0.255=3 192.168.0.0-192.168.0.255=1 192.168.1.7-192.168.1.7=2 "
            "192.168.2.0-192.168.255.255=1 ");
}

TEST(Overlay, ReachesTheEndsOfTheFamilies) {
  EXPECT_EQ(text_of(overlay_ranges({{net("0.0.0.0/0"), 1},
                                    {net("255.255.255.255/32"), 2},
                                    {net("::/0"), 3},
                                    {net("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"), 4}})),
            "0.0.0.0-255.255.255.254=1 255.255.255.255-255.255.255.255=2 "
            "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffd=3 "
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff=4 ");
}

TEST(Overlay, WithoutPeersWhatTouchesIsOne) {
  EXPECT_EQ(text_of(without_peers(overlay_ranges(
                {{net("10.0.0.0/8"), 1}, {net("10.1.0.0/16"), 2}, {net("12.0.0.0/8"), 5}}))),
            "10.0.0.0-10.255.255.255=0 12.0.0.0-12.255.255.255=0 ");
}

TEST(Overlay, DefaultRoutesAndAddressesOfALinkNameNothing) {
  for (const char* text : {"0.0.0.0/0", "128.0.0.0/1", "::/0", "8000::/1", "fe80::/10",
                           "fe80::1/128", "ff00::/8", "224.0.0.0/4"}) {
    EXPECT_FALSE(names_overlay(net(text))) << text;
  }
  for (const char* text : {"10.0.0.0/8", "64.0.0.0/2", "fd00::1/128", "169.254.1.1/32"}) {
    EXPECT_TRUE(names_overlay(net(text))) << text;
  }
}

// Against the definition: the longest prefix that holds the address.
TEST(Overlay, AgreesWithTheDefinitionOnRandomPrefixes) {
  SeededRandom random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<OwnedPrefix> owned;
    std::vector<Prefix> elsewhere;
    for (std::uint32_t i = 0; i < 12; ++i) {
      const auto octet = static_cast<std::uint8_t>(random.next() % 16);
      const auto length = static_cast<std::uint8_t>(28 + random.next() % 5);
      const Prefix prefix = Prefix::of(IpAddress::v4({10, 0, 0, octet}), length);
      if (i % 4 == 3) {
        elsewhere.push_back(prefix);
      } else {
        owned.emplace_back(prefix, i);
      }
    }
    const auto ranges = overlay_ranges(owned, elsewhere);
    for (std::uint8_t octet = 0; octet < 32; ++octet) {
      const IpAddress address = IpAddress::v4({10, 0, 0, octet});
      int longest = -1;
      for (const auto& [prefix, peer] : owned) {
        if (prefix.contains(address)) longest = std::max<int>(longest, prefix.length);
      }
      bool expected = longest >= 0;
      for (const Prefix& other : elsewhere) {
        if (other.contains(address) && other.length > longest) expected = false;
      }
      bool found = false;
      for (const OverlayRange& range : ranges) {
        if (address < range.first || range.last < address) continue;
        EXPECT_FALSE(found) << "two ranges hold " << address.text();
        found = true;
        const bool is_peers = std::ranges::any_of(owned, [&](const OwnedPrefix& one) {
          return one.second == range.peer && one.first.contains(address) &&
                 one.first.length == longest;
        });
        EXPECT_TRUE(is_peers) << address.text();
      }
      EXPECT_EQ(found, expected) << address.text() << " in round " << round;
    }
  }
}

}  // namespace
}  // namespace tw
