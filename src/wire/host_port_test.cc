#include "wire/host_port.h"

#include <gtest/gtest.h>

#include <string>

namespace tw {
namespace {

// The caller says what a zone is.
TEST(Endpoint, ZonesAreLookedUp) {
  const ZoneLookup zones = [](std::string_view zone) {
    return zone == "eth0" ? std::optional<std::uint32_t>{7} : std::nullopt;
  };
  EXPECT_EQ(parse_endpoint("[fe80::1%eth0]:5", zones), Endpoint::parse("[fe80::1%7]:5"));
  EXPECT_EQ(parse_endpoint("[fe80::1]:5", zones), Endpoint::parse("[fe80::1]:5"));
  EXPECT_FALSE(parse_endpoint("[fe80::1%eth1]:5", zones));
  EXPECT_FALSE(parse_endpoint("192.0.2.1%eth0:5", zones));
  EXPECT_FALSE(parse_endpoint("[192.0.2.1%eth0]:5", zones));
}

TEST(HostPort, IsSplitAtTheLastColonOrAfterTheBracket) {
  const auto split = [](std::string_view text) {
    const auto parts = HostPort::split(text);
    if (!parts) return std::string{"none"};
    return std::string{parts->host} + (parts->has_zone ? "%" : "|") + std::string{parts->zone} +
           '|' + std::string{parts->port} + (parts->bracketed ? "|b" : "");
  };
  EXPECT_EQ(split("host:5"), "host||5");
  EXPECT_EQ(split("fe80::1%eth0:5"), "fe80::1%eth0|5");
  EXPECT_EQ(split("[fe80::1%eth0]:x:5"), "fe80::1%eth0|x:5|b");
  EXPECT_EQ(split("[]:"), "|||b");
  EXPECT_EQ(split("a%:b"), "a%|b");
  for (const char* text : {"", "host", "[host", "[host]", "[host]x:5", "host]"}) {
    EXPECT_EQ(split(text), "none") << text;
  }
}

}  // namespace
}  // namespace tw
