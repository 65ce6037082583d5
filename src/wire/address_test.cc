#include "wire/address.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <unordered_set>

#include "base/random.h"

namespace tw {
namespace {

IpAddress ip(std::string_view text) {
  const auto address = IpAddress::parse(text);
  EXPECT_TRUE(address) << text;
  return address.value_or(IpAddress{});
}

TEST(IpAddress, TextRoundTrip) {
  for (const char* text : {"0.0.0.0", "255.255.255.255", "192.0.2.1", "::", "::1", "2001:db8::1",
                           "fe80::1:2:3:4", "::ffff:192.0.2.1"}) {
    EXPECT_EQ(ip(text).text(), text);
  }
  EXPECT_EQ(ip("2001:DB8:0:0:0:0:0:1").text(), "2001:db8::1");
}

TEST(IpAddress, RandomTextRoundTrip) {
  SeededRandom random{1};
  for (int round = 0; round < 2000; ++round) {
    std::array<std::uint8_t, 16> octets{};
    // Bytes that are often zero, so that "::" appears in all places.
    for (auto& octet : octets) {
      octet = static_cast<std::uint8_t>(random.next() % 3 == 0 ? random.next() : 0);
    }
    const IpAddress v6 = IpAddress::v6(octets);
    EXPECT_EQ(IpAddress::parse(v6.text()), v6);
    const IpAddress v4 = IpAddress::from_bytes(ByteView{octets}.first(4));
    EXPECT_EQ(IpAddress::parse(v4.text()), v4);
  }
}

TEST(IpAddress, RefusesWhatIsNotAnAddress) {
  using std::string_view_literals::operator""sv;
  for (const auto text :
       {""sv,          " "sv,          "1"sv,
        "1.2.3"sv,     "1.2.3.4.5"sv,  "1.2.3.256"sv,
        "01.2.3.4"sv,  "1.2.3.4 "sv,   " 1.2.3.4"sv,
        "1.2.3.4/8"sv, "0x7f.0.0.1"sv, ":"sv,
        ":::"sv,       "1::2::3"sv,    "12345::"sv,
        "[::1]"sv,     "fe80::1%1"sv,  "1.2.3.4\0"sv,
        "::1\0x"sv,    "localhost"sv,  "1111:2222:3333:4444:5555:6666:123.123.123.1230000"sv}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(IpAddress, Kinds) {
  EXPECT_TRUE(ip("0.0.0.0").is_unspecified());
  EXPECT_TRUE(ip("::").is_unspecified());
  EXPECT_FALSE(ip("0.0.0.1").is_unspecified());
  EXPECT_TRUE(ip("127.9.9.9").is_loopback());
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_TRUE(ip("::ffff:127.0.0.1").is_loopback());
  EXPECT_FALSE(ip("128.0.0.1").is_loopback());
  EXPECT_FALSE(ip("::2").is_loopback());
  EXPECT_TRUE(ip("169.254.0.1").is_link_local());
  EXPECT_TRUE(ip("::ffff:169.254.0.1").is_link_local());
  EXPECT_TRUE(ip("fe80::1").is_link_local());
  EXPECT_TRUE(ip("febf::1").is_link_local());
  EXPECT_FALSE(ip("fec0::1").is_link_local());
  EXPECT_FALSE(ip("169.253.0.1").is_link_local());
  EXPECT_TRUE(ip("224.0.0.1").is_multicast());
  EXPECT_TRUE(ip("239.255.255.255").is_multicast());
  EXPECT_TRUE(ip("255.255.255.255").is_multicast());
  EXPECT_TRUE(ip("ff02::1").is_multicast());
  EXPECT_FALSE(ip("240.0.0.1").is_multicast());
  EXPECT_FALSE(ip("fe02::1").is_multicast());
}

TEST(IpAddress, UnmappedIsTheFourBytesInside) {
  EXPECT_EQ(ip("::ffff:192.0.2.1").unmapped(), ip("192.0.2.1"));
  EXPECT_EQ(ip("::192.0.2.1").unmapped(), ip("::192.0.2.1"));
  EXPECT_EQ(ip("192.0.2.1").unmapped(), ip("192.0.2.1"));
}

TEST(Prefix, ClearsHostBits) {
  EXPECT_EQ(Prefix::parse("10.1.2.3/8")->text(), "10.0.0.0/8");
  EXPECT_EQ(Prefix::parse("10.255.2.3/9")->text(), "10.128.0.0/9");
  EXPECT_EQ(Prefix::parse("1.2.3.4/0")->text(), "0.0.0.0/0");
  EXPECT_EQ(Prefix::parse("1.2.3.4/32")->text(), "1.2.3.4/32");
  EXPECT_EQ(Prefix::parse("1.2.3.4")->text(), "1.2.3.4/32");
  EXPECT_EQ(Prefix::parse("fd00::1")->text(), "fd00::1/128");
  EXPECT_EQ(Prefix::parse("ffff:ffff::1/17")->text(), "ffff:8000::/17");
  EXPECT_EQ(Prefix::parse("fd00::ffff/127")->text(), "fd00::fffe/127");
}

TEST(Prefix, RefusesWhatIsNotAPrefix) {
  for (const char* text : {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1",
                           "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0.0/ 8",
                           "10.0.0.0/8 ", "10.0.0.0/4294967304", "10/8"}) {
    EXPECT_FALSE(Prefix::parse(text)) << text;
  }
}

TEST(Prefix, ContainsItsOwnFamilyOnly) {
  const Prefix ten = *Prefix::parse("10.0.0.0/8");
  EXPECT_TRUE(ten.contains(ip("10.255.255.255")));
  EXPECT_FALSE(ten.contains(ip("11.0.0.0")));
  EXPECT_FALSE(ten.contains(ip("::ffff:10.0.0.1")));
  EXPECT_TRUE(Prefix::parse("::/0")->contains(ip("2001:db8::1")));
  EXPECT_FALSE(Prefix::parse("::/0")->contains(ip("10.0.0.1")));
  EXPECT_FALSE(Prefix::parse("0.0.0.0/0")->contains(ip("::")));
}

TEST(Endpoint, TextRoundTrip) {
  for (const char* text : {"192.0.2.1:51820", "0.0.0.0:0", "[2001:db8::1]:65535", "[::]:1",
                           "[fe80::1%3]:51820", "[fe80::1%4294967295]:7"}) {
    const auto endpoint = Endpoint::parse(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(endpoint->text(), text);
  }
  EXPECT_EQ(Endpoint::parse("[fe80::1%3]:51820")->scope_id, 3U);
}

TEST(Endpoint, RefusesWhatIsNotNumericOrHasNoPort) {
  for (const char* text : {"", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1",
                           "192.0.2.1:1x", "192.0.2.1:01", "[192.0.2.1]:1", "::1:1", "[::1]",
                           "[::1]1", "[::1:1", "::1]:1", "[fe80::1%eth0]:1", "[fe80::1%]:1",
                           "[fe80::1%4294967296]:1", "192.0.2.1%1:1", "example.org:80"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

TEST(Endpoint, HashTellsThemApart) {
  std::unordered_set<std::size_t> hashes;
  for (std::uint16_t port = 0; port < 1000; ++port) {
    for (const char* address : {"10.0.0.1", "10.0.0.2", "::", "a00:1::"}) {
      const Endpoint endpoint{ip(address), port, 0};
      EXPECT_EQ(std::hash<Endpoint>{}(endpoint), std::hash<Endpoint>{}(Endpoint{endpoint}));
      hashes.insert(std::hash<Endpoint>{}(endpoint));
    }
  }
  EXPECT_EQ(hashes.size(), 4000U);
}

// Addresses that collide in one process may not collide in the next: there is nothing to look for
// offline.
TEST(IpAddressDeathTest, EachProcessHashesInItsOwnWay) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // the child is a new process
  const auto hash = [] { return std::to_string(std::hash<IpAddress>{}(ip("10.0.0.1"))); };
  constexpr int keep = 0;  // for the child, which comes by here too
  // NOLINTBEGIN(concurrency-mt-unsafe): no other thread runs
  ASSERT_EQ(::setenv("TW_HASH_OF_PARENT", hash().c_str(), keep), 0);
  EXPECT_EXIT(std::exit(hash() == std::getenv("TW_HASH_OF_PARENT") ? 1 : 0),
              ::testing::ExitedWithCode(0), "");
  // NOLINTEND(concurrency-mt-unsafe)
}

// A /64 is cheap to have, and so is a choice of its lower halves.
TEST(IpAddress, HashSpreadsNeighbours) {
  constexpr std::size_t buckets = 1024, each = 16;
  std::array<std::size_t, buckets> filled{};
  for (std::size_t i = 0; i < buckets * each; ++i) {
    std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0d, 0xb8};
    octets[12] = static_cast<std::uint8_t>(i >> 8U);
    octets[15] = static_cast<std::uint8_t>(i);
    ++filled[std::hash<IpAddress>{}(IpAddress::v6(octets)) % buckets];
  }
  EXPECT_LT(*std::ranges::max_element(filled), 4 * each);
}

}  // namespace
}  // namespace tw
