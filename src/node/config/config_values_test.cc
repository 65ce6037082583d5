#include "node/config/config_values.h"

#include <gtest/gtest.h>

#include "node/config/keys/words.h"

namespace tw::node {
namespace {

TEST(ConfigValues, EndpointNames) {
  const auto is = [](std::string_view text, std::string host, std::uint16_t port) {
    const auto endpoint = read_endpoint_name(text);
    return endpoint && *endpoint == EndpointName{std::move(host), port};
  };
  EXPECT_TRUE(is("192.0.2.1:51820", "192.0.2.1", 51820));
  EXPECT_TRUE(is("[2001:db8::1]:1", "2001:db8::1", 1));
  EXPECT_TRUE(is("[fe80::1%eth0]:65535", "fe80::1%eth0", 65535));
  EXPECT_TRUE(is("[fe80::1%3]:5", "fe80::1%3", 5));
  EXPECT_TRUE(is("vpn.example.net:7", "vpn.example.net", 7));
  // `wg` takes these forms as well.
  EXPECT_TRUE(is("2001:db8::1:51820", "2001:db8::1", 51820));
  EXPECT_TRUE(is("fe80::1%eth0:51820", "fe80::1%eth0", 51820));
  EXPECT_TRUE(is("[192.0.2.1]:5", "192.0.2.1", 5));
  EXPECT_TRUE(is("[host]:5", "host", 5));
  EXPECT_TRUE(is("192.0.2.1:domain", "192.0.2.1", 53));
  EXPECT_TRUE(is("[2001:db8::1]:ntp", "2001:db8::1", 123));
  EXPECT_TRUE(is("vpn.example.net:00005", "vpn.example.net", 5));
  EXPECT_TRUE(is("a_b.x-1.example.:7", "a_b.x-1.example.", 7));
  for (const char* wrong : {"",
                            ":",
                            "host",
                            "host:",
                            ":51820",
                            "host:0",
                            "host:65536",
                            "host:no-such-service",
                            "host:domain/udp",
                            "host:0x10",
                            "[fe80::1%eth0]:",
                            "[fe80::1%eth0]x:5",
                            "[fe80::1%a b]:5",
                            "[fe80::1%eth0%eth1]:5",
                            "host%eth0:5",
                            "192.0.2.1%eth0:5",
                            "host:-1",
                            "host: 1",
                            "2001:db8::1",
                            "[2001:db8::1]",
                            "[2001:db8::1]:",
                            "[]:5",
                            "[2001:db8::1%eth0]:5",
                            "[fe80::1%]:5",
                            "[fe80::1%a/b]:5",
                            "-a.net:5",
                            "a-.net:5",
                            "a..net:5",
                            "a b:5",
                            "300.1.1.1:5",
                            "1.2.3:5",
                            "0.0.0.0:5",
                            "224.0.0.1:5",
                            "a/b:5",
                            "host:51820 "}) {
    EXPECT_FALSE(read_endpoint_name(wrong)) << wrong;
  }
  EXPECT_FALSE(read_endpoint_name(std::string(64, 'a') + ":5"));
  EXPECT_FALSE(read_endpoint_name(std::string_view{"ho\0st:5", 7}));
}

TEST(ConfigValues, InterfaceNames) {
  for (const char* good : {"wg0", "w", "fifteen-chars.0", "a=b+c_d.e"}) {
    EXPECT_TRUE(read_interface_name(good)) << good;
  }
  for (const char* wrong : {"", "sixteen-chars..0", "a/b", "a b", "a:b", ".", "..", "-x", "wg%d",
                            "all", "default", "lo", "w\xc3\xa9", "wg0\n"}) {
    EXPECT_FALSE(read_interface_name(wrong)) << wrong;
  }
}

TEST(ConfigValues, InterfaceAddressesKeepTheirHostBits) {
  const auto address = read_interface_address("10.9.0.7/24");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->address.text(), "10.9.0.7");
  EXPECT_EQ(address->length, 24);
  EXPECT_EQ(read_interface_address("fd00::1").value_or(InterfaceAddress{}).length, 128);
  for (const char* wrong :
       {"", "10.9.0.1/33", "fd00::1/129", "10.9.0.1/", "10.9.0/24", "127.0.0.1/8", "::1/128",
        "0.0.0.0/0", "224.0.0.1/4", "10.9.0.1/24,10.9.0.2/24"}) {
    EXPECT_FALSE(read_interface_address(wrong)) << wrong;
  }
}

TEST(ConfigValues, PublicKeysAreNeverShown) {
  EXPECT_TRUE(read_public_key("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="));
  for (const std::string wrong : {"", "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg",
                                  "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D*=",
                                  "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dh=",
                                  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}) {
    const auto key = read_public_key(wrong);
    ASSERT_FALSE(key) << wrong;
    if (!wrong.empty()) {
      EXPECT_FALSE(key.error().what.contains(wrong));
      EXPECT_FALSE(key.error().mend.contains(wrong));
    }
  }
}

TEST(ConfigValues, MetricsStayOnThisMachine) {
  EXPECT_TRUE(read_metrics_endpoint("127.0.0.1:9586"));
  EXPECT_TRUE(read_metrics_endpoint("[::1]:9586"));
  for (const char* wrong : {"0.0.0.0:9586", "10.0.0.1:9586", "[::]:9586", "127.0.0.1:0",
                            "127.0.0.1", "localhost:9586", "9586"}) {
    EXPECT_FALSE(read_metrics_endpoint(wrong)) << wrong;
  }
}

TEST(ConfigValues, PathsAndNames) {
  EXPECT_TRUE(read_socket_path('/' + std::string(106, 'a')));
  EXPECT_FALSE(read_socket_path('/' + std::string(107, 'a')));
  EXPECT_FALSE(read_socket_path("run/thalweg.sock"));
  EXPECT_TRUE(read_absolute_path("/var/log/thalweg.log"));
  EXPECT_FALSE(read_absolute_path("thalweg.log"));
  EXPECT_FALSE(read_absolute_path(std::string_view{"/var\0/log", 9}));
  EXPECT_FALSE(read_absolute_path(""));
  EXPECT_TRUE(read_name("Anna's laptop"));
  EXPECT_FALSE(read_name(""));
  EXPECT_FALSE(read_name("two\nlines"));
  EXPECT_FALSE(read_name(std::string(65, 'n')));
  EXPECT_TRUE(read_congestion_control(""));
  EXPECT_TRUE(read_congestion_control("bbr"));
  EXPECT_FALSE(read_congestion_control("bbr; reboot"));
  EXPECT_FALSE(read_congestion_control("sixteen-letters-"));
}

TEST(ConfigValues, PortRanges) {
  EXPECT_EQ(read_port_range("80"), (relay::PortRange{80, 80}));
  EXPECT_EQ(read_port_range("1-65535"), (relay::PortRange{1, 65535}));
  for (const char* wrong : {"", "0", "0-5", "5-", "-5", "5-4", "65536", "1-65536", "80,81", "http",
                            " 80", "80 - 81", "1-2-3"}) {
    EXPECT_FALSE(read_port_range(wrong)) << wrong;
  }
}

TEST(ConfigValues, Words) {
  EXPECT_EQ(read_word("warning", log_level_words), log::Level::warning);
  EXPECT_EQ(read_word("icmp", protocol_words), relay::Protocol::icmp);
  EXPECT_EQ(read_word("refuse", action_words), relay::Action::refuse);
  EXPECT_EQ(read_word("verified", accept_words), relay::Accept::verified);
  EXPECT_FALSE(read_word("Warning", log_level_words));
  EXPECT_EQ(read_word("warn", log_level_words).error().mend,
            R"(write one of "debug", "info", "warning", "error")");
  EXPECT_EQ(read_word("eror", log_level_words).error().mend, R"(did you mean "error"?)");
}

TEST(ConfigValues, CoresAreAListOfCpus) {
  using Cores = std::vector<std::uint16_t>;
  EXPECT_EQ(read_cores("2"), Cores{2});
  EXPECT_EQ(read_cores("0-3,6"), (Cores{0, 1, 2, 3, 6}));
  EXPECT_EQ(read_cores("7,1023,0"), (Cores{7, 1023, 0}));
  for (const char* wrong : {"", ",", "1,", ",1", "a", "-1", "1-", "3-1", "1024", "0-1024", " 1",
                            "1;2", "0x1", "1-2-3", "0,0", "0-3,2", "99999999999999999999"}) {
    EXPECT_FALSE(read_cores(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace tw::node
