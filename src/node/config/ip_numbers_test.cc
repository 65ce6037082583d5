#include "node/config/ip_numbers.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

std::string address(std::string_view text) {
  const auto read = read_ip_address(text);
  return read ? read->address.text() + '/' + std::to_string(read->length) : "refused";
}

// As iproute2 6.1 read them on a machine.
TEST(IpNumbers, Addresses) {
  EXPECT_EQ(address("10.9.0.1/24"), "10.9.0.1/24");
  EXPECT_EQ(address("10.9.0.1"), "10.9.0.1/32");
  EXPECT_EQ(address("fd00::1"), "fd00::1/128");
  EXPECT_EQ(address("10.9/16"), "10.9.0.0/16");
  EXPECT_EQ(address("10.9.1.1/0x18"), "10.9.1.1/24");
  EXPECT_EQ(address("10.9.0.1/016"), "10.9.0.1/14");
  EXPECT_EQ(address("010.9.6.1/24"), "8.9.6.1/24");
  EXPECT_EQ(address("fd00::1/064"), "fd00::1/52");
  EXPECT_EQ(address("10.9.2.1/255.255.255.0"), "10.9.2.1/24");
  EXPECT_EQ(address("127.0.0.5/32"), "127.0.0.5/32");
  for (const char* wrong :
       {"", "/24", "10.9.3.1/33", "10.9.4.1/", "10.9.7.1/24/8", "10.9.2.1/255.0.255.0",
        "fe80::7%v0/64", "fd00::1/129", "fd00::1/255.0.0.0", "10.9.0.0.1", "10.256.0.1", "10..1",
        "08.1.1.1", "0x.1.1.1", "name"}) {
    EXPECT_EQ(address(wrong), "refused") << wrong;
  }
}

TEST(IpNumbers, Tables) {
  const TestFolder folder;
  std::filesystem::create_directory(folder.path() + "rt_tables.d");
  folder.write("rt_tables",
               "# reserved\n255\tlocal\n0 unspec\n100 isp # ours\n0x65 hex\nbad line\n");
  folder.write("rt_tables.d/a.conf", "200 isp\n");
  folder.write("rt_tables.d/README", "7 readme\n");
  const auto table = [&](std::string_view text) {
    return read_route_table(text, folder.path()).value_or(0);
  };
  EXPECT_EQ(table("isp"), 200U);  // the last one
  EXPECT_EQ(table("hex"), 101U);
  EXPECT_EQ(table("main"), 254U);
  EXPECT_EQ(table("default"), 253U);
  EXPECT_EQ(table("unspec"), 254U);
  EXPECT_EQ(table("0x1234"), 0x1234U);
  EXPECT_EQ(table("4294967295"), 4294967295U);
  for (const char* wrong : {"readme", "ISP", "", "seven", "-1", "4294967296", "1 2"}) {
    EXPECT_FALSE(read_route_table(wrong, folder.path())) << wrong;
  }
  EXPECT_EQ(read_route_table("main", "no-such-folder").value_or(0), 254U);
}

}  // namespace
}  // namespace tw::node
