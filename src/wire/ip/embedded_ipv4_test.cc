#include "wire/ip/embedded_ipv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tw {
namespace {

std::vector<std::string> embedded_in(const char* address) {
  std::vector<std::string> found;
  const EmbeddedIpv4 all{*IpAddress::parse(address)};
  for (const IpAddress& one : all) found.push_back(one.text());
  EXPECT_EQ(all.empty(), found.empty());
  return found;
}

struct Case {
  const char* address;
  std::vector<std::string> embedded;
};

TEST(EmbeddedIpv4, KnowsEveryForm) {
  const std::vector<Case> cases{
      {"::ffff:10.1.2.3", {"10.1.2.3"}},
      {"::10.1.2.3", {"10.1.2.3"}},
      {"::1", {}},
      {"::", {}},
      {"::2", {"0.0.0.2"}},
      {"::ffff:0:10.1.2.3", {"10.1.2.3"}},
      {"64:ff9b::10.1.2.3", {"10.1.2.3"}},
      {"64:ff9b::127.0.0.1", {"127.0.0.1"}},
      {"2002:0a01:0203::1", {"10.1.2.3"}},
      {"2002:7f00:1::", {"127.0.0.1"}},
      // Teredo: the server, and the client with its bits turned over (RFC 4380, section 4).
      {"2001:0:0a01:0203:8000:63bf:f5fe:fdfc", {"10.1.2.3"}},
      {"2001:0:c000:0201:0:0:80ff:fffe", {"192.0.2.1", "127.0.0.1"}},
      {"2001:db8::5efe:10.1.2.3", {"10.1.2.3"}},
      {"2001:db8::200:5efe:10.1.2.3", {"10.1.2.3"}},
      {"fe80::5efe:192.168.0.1", {"192.168.0.1"}},
      // Two forms at once.
      {"2002:0a01:0203::5efe:192.168.0.1", {"10.1.2.3", "192.168.0.1"}},
      // RFC 6052, section 2.4, with the prefix for local use.
      {"64:ff9b:1:c000:2:2100::", {"192.0.2.33", "2.33.0.0"}},
      {"64:ff9b:1:00c0:0:221::", {"192.0.2.33"}},
      {"64:ff9b:1::c0:2:2100:0", {"192.0.2.33", "33.0.0.0"}},
      {"64:ff9b:1::192.0.2.33", {"192.0.2.33"}},
      {"64:ff9b:1::", {"0.0.0.0"}},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(embedded_in(one.address), one.embedded) << one.address;
  }
}

// A prefix of 96 bits within the one for local use, whatever its middle says.
TEST(EmbeddedIpv4, LocalTranslatorsMayHaveAnyPrefix) {
  for (const char* const address :
       {"64:ff9b:1:1:2:3:10.1.2.3", "64:ff9b:1:ffff:ff00:0:10.1.2.3", "64:ff9b:1::10.1.2.3"}) {
    EXPECT_THAT(embedded_in(address), ::testing::Contains("10.1.2.3")) << address;
  }
}

TEST(EmbeddedIpv4, OthersHaveNone) {
  for (const char* const address :
       {"10.1.2.3", "2001:db8::1", "2606:4700::1111", "fd00::a01:203", "2001:1::a01:203",
        "2003:a01:203::1", "64:ff9b:2::a01:203", "64:ff9c::a01:203", "1::ffff:10.1.2.3",
        "2001:db8::5eff:10.1.2.3", "2001:db8::100:5efe:10.1.2.3", "2001:db8::1:5efe:10.1.2.3",
        "::fffe:10.1.2.3", "::1:10.1.2.3", "::ffff:1:10.1.2.3"}) {
    EXPECT_TRUE(embedded_in(address).empty()) << address;
  }
}

}  // namespace
}  // namespace tw
