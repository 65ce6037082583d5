#include "node/config/import/wg_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tw::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

const std::string key_a = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const std::string peer = "[Peer]\nPublicKey = " + key_a + '\n';

std::vector<std::string> mistakes(std::string_view text) {
  MistakeList list{"wg0.conf"};
  read_wg_conf(text, "wg0.conf", list);
  std::vector<std::string> texts;
  for (const ConfigMistake& mistake : list.take()) texts.push_back(mistake.text());
  return texts;
}

WgConf parsed(std::string_view text) {
  MistakeList list{"wg0.conf"};
  WgConf conf = read_wg_conf(text, "wg0.conf", list);
  for (const ConfigMistake& mistake : list.take()) ADD_FAILURE() << mistake.text();
  return conf;
}

std::optional<EndpointName> endpoint(const std::string& text) {
  MistakeList list{"wg0.conf"};
  const WgConf conf = read_wg_conf(peer + "Endpoint = " + text + '\n', "wg0.conf", list);
  return list.empty() ? conf.peers.at(0).endpoint : std::nullopt;
}

std::vector<std::string> allowed(const std::string& text) {
  std::vector<std::string> texts;
  for (const auto& allowed : parsed(peer + "AllowedIPs = " + text + '\n').peers.at(0).allowed_ips) {
    texts.push_back((allowed.remove ? "-" : "") + allowed.prefix.text());
  }
  return texts;
}

// The table in tests/net/test_wg_syntax.py, which tests `wg` itself, is the same at more length.
TEST(WgConf, BlanksInsideKeysSectionsAndValuesCountForNothing) {
  const WgConf conf = parsed(
      "[ Inter face ]\nPri vate\tKey = yAnz5TF+lXXJte14 tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"
      "Listen Port = 5 18\v20 # here\r\nFw Mark = 0x 1f\n[ pe er ]\n"
      "Public Key =" +
      key_a +
      "\nAllowed IPs = 1 0.0.0.0/ 8 ,\tfd00 ::/6 4\nEnd point = [2001:db8 ::1] : 5\n"
      "Persistent Keepalive = 2 5\n");
  EXPECT_EQ(conf.private_key->view()[0], 0xc8);
  EXPECT_EQ(conf.listen_port, 51820);
  EXPECT_EQ(conf.fwmark, 0x1fU);
  ASSERT_THAT(conf.peers, SizeIs(1));
  EXPECT_EQ(conf.peers[0].endpoint, (EndpointName{"2001:db8::1", 5}));
  EXPECT_EQ(conf.peers[0].persistent_keepalive_s, 25);
  EXPECT_EQ(conf.peers[0].allowed_ips.at(1).prefix.text(), "fd00::/64");
}

TEST(WgConf, BlanksInsideWgQuicksKeysDo) {
  EXPECT_THAT(mistakes("[Interface]\nPost Up = true\nAdd ress = 10.0.0.1\n"), SizeIs(2));
  EXPECT_THAT(parsed("[Interface]\n\tPostUp  =  echo  a\r\n").hooks.at(0).command, "echo  a");
}

TEST(WgConf, SectionsAndKeysMayStandAgain) {
  const WgConf conf = parsed("[Interface]\nListenPort = 1\nListenPort = 2\nMTU = 1300\n" + peer +
                             "Endpoint = a:1\nEndpoint = b:2\nAllowedIPs = 10.0.0.0/8\n"
                             "AllowedIPs = 10.0.0.0/8,10.1.0.0/16\n[Interface]\nMTU = 1400\n"
                             "FwMark = 5\nFwMark = off\n[Interface]\nTable = 5\nTable = auto\n" +
                             peer);
  EXPECT_EQ(conf.listen_port, 2);
  EXPECT_EQ(conf.mtu, 1400U);
  EXPECT_EQ(conf.fwmark, 0U);
  EXPECT_FALSE(conf.table);
  ASSERT_THAT(conf.peers, SizeIs(2));
  EXPECT_EQ(conf.peers[0].endpoint, (EndpointName{"b", 2}));
  EXPECT_THAT(conf.peers[0].allowed_ips, SizeIs(3));
}

TEST(WgConf, Endpoints) {
  EXPECT_EQ(endpoint("2001:db8::1:51820"), (EndpointName{"2001:db8::1", 51820}));
  EXPECT_EQ(endpoint("fe80::1%eth0:51820"), (EndpointName{"fe80::1%eth0", 51820}));
  EXPECT_EQ(endpoint("vpn.example.net:domain"), (EndpointName{"vpn.example.net", 53}));
  EXPECT_EQ(endpoint("[vpn.example.net]:00005"), (EndpointName{"vpn.example.net", 5}));
  EXPECT_EQ(endpoint("10.1:5"), (EndpointName{"10.0.0.1", 5}));
  EXPECT_EQ(endpoint("0x0a000001:5"), (EndpointName{"10.0.0.1", 5}));
  for (const char* wrong :
       {"a", "a:", ":5", "[a]x:5", "[a]:5x", "[]:5", "1.2.3.4.5:5", "a:70000"}) {
    EXPECT_EQ(endpoint(wrong), std::nullopt) << wrong;
  }
}

TEST(WgConf, AllowedIps) {
  EXPECT_THAT(allowed("10.0.0.0/016, 10.0.0.1, ::/00, 10.1.2.3/8"),
              ElementsAre("10.0.0.0/16", "10.0.0.1/32", "::/0", "10.0.0.0/8"));
  EXPECT_THAT(allowed("+10.0.0.0/8, -10.1.0.0/16"), ElementsAre("10.0.0.0/8", "-10.1.0.0/16"));
  EXPECT_THAT(allowed(""), ElementsAre());
  EXPECT_FALSE(parsed(peer + "AllowedIPs = +10.0.0.0/8\n").peers[0].replaces_allowed_ips);
  for (const std::string wrong :
       {"10.0.0.0/8,", ",10.0.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "10/8", "10.0.0.0/0x8",
        "10.0.0.0/8 10.1.0.0/16", "++10.0.0.0/8", "fe80::1%lo/64", "10.0.0.0/8/8"}) {
    EXPECT_THAT(mistakes(peer + "AllowedIPs = " + wrong + '\n'), SizeIs(1)) << wrong;
  }
}

TEST(WgConf, NumbersAsTheirToolsReadThem) {
  const auto interface = [](const std::string& lines) { return parsed("[Interface]\n" + lines); };
  EXPECT_EQ(interface("FwMark = 017\n").fwmark, 17U);
  EXPECT_EQ(interface("MTU = 0x500\n").mtu, 1280U);
  EXPECT_EQ(interface("MTU =\n").mtu, std::nullopt);
  EXPECT_EQ(interface("ListenPort = ntp\n").listen_port, 123);
  EXPECT_EQ(interface("Table = 010\n").table, 8U);
  EXPECT_EQ(interface("Table = local\n").table, 255U);
  EXPECT_EQ(interface("Table = 0\n").table, 254U);
  EXPECT_EQ(interface("Table =\n").table, std::nullopt);
  EXPECT_EQ(interface("SaveConfig = TRUE\n").save_config, true);
  EXPECT_THAT(interface("Address = 10.9.0.1/24 fd00::1/64,,10.9.0.2\n").addresses, SizeIs(3));
  EXPECT_THAT(interface("DNS = fe80::1%eth0, 10.9.0.1 example.net\n").name_servers, SizeIs(2));
  for (const std::string wrong :
       {"FwMark = 0X1F", "FwMark = 0x", "FwMark = -1", "FwMark = 4294967296",
        "FwMark =", "ListenPort =", "ListenPort = 0x10", "ListenPort = 65536", "ListenPort = 5;",
        "MTU = 67", "MTU = 65456", "MTU = 1400x", "Table = seven", "Table = 4294967296",
        "SaveConfig =", "SaveConfig = yes", "PrivateKey =", "Address = 10.0.0.1/33"}) {
    EXPECT_THAT(mistakes("[Interface]\n" + wrong + '\n'), SizeIs(1)) << wrong;
  }
}

TEST(WgConf, WhatHidesIsRefused) {
  EXPECT_THAT(
      mistakes("\xef\xbb\xbf[Interface]\n"),
      ElementsAre("wg0.conf:1:1: begins with a byte order mark — save the file without one"));
  const std::string_view zero{"[Interface]\nListenPort = 5\0 # x\n", 31};
  EXPECT_THAT(mistakes(zero), ElementsAre(HasSubstr("wg0.conf:2:15: a byte of zero")));
  EXPECT_THAT(mistakes("[Interface]\rListenPort = 5\r"), SizeIs(1));
  EXPECT_THAT(mistakes("[Interface]x\n"), SizeIs(1));
  EXPECT_THAT(mistakes("[Interface]\n;x\nListenPort\n=5\nListenPort==5\n"), SizeIs(4));
  EXPECT_THAT(mistakes("ListenPort = 5\n"), SizeIs(1));
  EXPECT_THAT(mistakes("[Peer]\n"), ElementsAre(HasSubstr("Peer[1].PublicKey: is missing")));
}

}  // namespace
}  // namespace tw::node
