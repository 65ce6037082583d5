#include "node/endpoints/endpoint_text.h"

#include <gtest/gtest.h>
#include <net/if.h>

namespace tw::node {
namespace {

/// The loopback interface: the one that every namespace has.
const std::uint32_t lo = ::if_nametoindex("lo");

TEST(EndpointText, ReadsZonesByNameAndByNumber) {
  ASSERT_NE(lo, 0U);
  const Endpoint local{*IpAddress::parse("fe80::1"), 51820, lo};
  EXPECT_EQ(read_endpoint("[fe80::1%lo]:51820"), local);
  EXPECT_EQ(read_endpoint("[fe80::1%" + std::to_string(lo) + "]:51820"), local);
  EXPECT_EQ(endpoint_text(local), "[fe80::1%lo]:51820");
  EXPECT_EQ(read_endpoint(endpoint_text(local)), local);
}

TEST(EndpointText, AnInterfaceThatHasGoneIsWrittenByNumber) {
  const Endpoint gone{*IpAddress::parse("fe80::1"), 5, UINT32_MAX};
  EXPECT_EQ(endpoint_text(gone), "[fe80::1%4294967295]:5");
  EXPECT_EQ(read_endpoint(endpoint_text(gone)), gone);
}

TEST(EndpointText, EndpointsAreThoseThatDatagramsComeFrom) {
  EXPECT_EQ(read_endpoint("[::ffff:192.0.2.1]:5"), Endpoint::parse("192.0.2.1:5"));
  EXPECT_EQ(read_endpoint("[2001:db8::1%1]:5"), Endpoint::parse("[2001:db8::1]:5"));
  EXPECT_EQ(read_endpoint("192.0.2.1:5"), Endpoint::parse("192.0.2.1:5"));
  EXPECT_EQ(read_endpoint("[fe80::1]:5"), Endpoint::parse("[fe80::1]:5"));
}

TEST(EndpointText, RefusesWhatIsNoZone) {
  for (const char* wrong :
       {"[fe80::1%no-such-link]:5", "[fe80::1%]:5", "[fe80::1%%lo]:5", "192.0.2.1%lo:5",
        "[192.0.2.1%lo]:5", "[fe80::1%a-name-that-is-too-long-for-a-link]:5", "[fe80::1%-1]:5",
        "[fe80::1%4294967296]:5", "fe80::1%lo:5", "[fe80::1%lo]5", "name:5"}) {
    EXPECT_FALSE(read_endpoint(wrong)) << wrong;
  }
  EXPECT_FALSE(read_endpoint(std::string_view{"[fe80::1%lo\0x]:5", 16}));
}

}  // namespace
}  // namespace tw::node
