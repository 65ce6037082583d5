#include "wire/sockaddr.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace tw {
namespace {

TEST(SocketAddress, RoundTrip) {
  for (const char* text : {"192.0.2.1:51820", "[2001:db8::1]:443", "[fe80::1%7]:1", "0.0.0.0:0"}) {
    const Endpoint endpoint = *Endpoint::parse(text);
    const SocketAddress kernel = to_sockaddr(endpoint);
    EXPECT_EQ(from_sockaddr(kernel.get(), kernel.length), endpoint) << text;
  }
}

TEST(SocketAddress, PortIsInNetworkOrder) {
  const SocketAddress kernel = to_sockaddr(*Endpoint::parse("192.0.2.1:258"));
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(kernel.storage);
  EXPECT_EQ(v4.sin_port, htons(258));
  EXPECT_EQ(v4.sin_addr.s_addr, htonl(0xc0000201));
  EXPECT_EQ(kernel.length, sizeof(sockaddr_in));
}

TEST(SocketAddress, MappedBecomesV4WithoutScope) {
  const SocketAddress kernel = to_sockaddr(*Endpoint::parse("[::ffff:192.0.2.1%2]:9"));
  EXPECT_EQ(from_sockaddr(kernel.get(), kernel.length), *Endpoint::parse("192.0.2.1:9"));
}

TEST(SocketAddress, RefusesOtherFamiliesAndShortOnes) {
  SocketAddress v4 = to_sockaddr(*Endpoint::parse("192.0.2.1:9"));
  SocketAddress v6 = to_sockaddr(*Endpoint::parse("[::1]:9"));
  for (socklen_t length = 0; length < v4.length; ++length) {
    EXPECT_FALSE(from_sockaddr(v4.get(), length));
  }
  for (socklen_t length = 0; length < v6.length; ++length) {
    EXPECT_FALSE(from_sockaddr(v6.get(), length));
  }
  EXPECT_FALSE(from_sockaddr(nullptr, v4.length));
  v4.storage.ss_family = AF_UNIX;
  EXPECT_FALSE(from_sockaddr(v4.get(), v4.length));
}

}  // namespace
}  // namespace tw
