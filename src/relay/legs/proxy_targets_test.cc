#include "relay/legs/proxy_targets.h"

#include <gtest/gtest.h>

namespace tw::relay {
namespace {

bool covers(const char* server, const char* target) {
  const auto parsed = ProxyTarget::parse(server);
  EXPECT_TRUE(parsed) << server;
  return parsed && parsed->covers(Endpoint::parse(target).value());
}

TEST(ProxyTarget, CoversAPrefixOnOnePortOrOnAll) {
  EXPECT_TRUE(covers("10.1.0.0/16", "10.1.2.3:1"));
  EXPECT_TRUE(covers("10.1.0.0/16", "[::ffff:10.1.2.3]:1"));
  EXPECT_FALSE(covers("10.1.0.0/16", "10.2.0.1:1"));
  EXPECT_TRUE(covers("192.0.2.7/32:443", "192.0.2.7:443"));
  EXPECT_FALSE(covers("192.0.2.7/32:443", "192.0.2.7:80"));
  EXPECT_FALSE(covers("192.0.2.7/32:443", "192.0.2.8:443"));
  EXPECT_TRUE(covers("192.0.2.7:443", "192.0.2.7:443"));
  EXPECT_FALSE(covers("192.0.2.7:443", "192.0.2.7:444"));
  EXPECT_TRUE(covers("2001:db8::/32", "[2001:db8::1]:9"));
  EXPECT_TRUE(covers("2001:db8::/32:443", "[2001:db8::1]:443"));
  EXPECT_FALSE(covers("2001:db8::/32:443", "[2001:db8::1]:80"));
  EXPECT_TRUE(covers("2001:db8::443", "[2001:db8::443]:80")) << "an address, and no port";
  EXPECT_FALSE(covers("0.0.0.0/0", "[2001:db8::1]:80"));
}

TEST(ProxyTarget, AnythingElseIsNone) {
  for (const char* text :
       {"", ":", "/", "10.1.0.0/16:", "10.1.0.0/16:0", "10.1.0.0/16:65536", "10.1.0.0/16:080",
        "10.1.0.0/33", "10.1.0.0/16:80:80", "x/16:80", "[2001:db8::1]:443",
        "192.0.2.7:", "example.net:443", "10.1.0.0/16 :80", "10.1.0.0/16:80x"}) {
    EXPECT_FALSE(ProxyTarget::parse(text)) << text;
  }
}

}  // namespace
}  // namespace tw::relay
