#include "node/clients/client_conf.h"

#include <gtest/gtest.h>

#include "node/config/import/conf_import.h"
#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

ClientConf sample(const crypto::PrivateKey& key) {
  return {.name = "anna",
          .private_key = &key,
          .addresses = {*IpAddress::parse("10.9.0.2"), *IpAddress::parse("fd09::2")},
          .dns = {},
          .server = {*crypto::key_from_base64(TestFolder::public_key)},
          .endpoint = {.host = "2001:db8::1", .port = 51820},
          .routes = {*Prefix::parse("0.0.0.0/0"), *Prefix::parse("::/0")}};
}

crypto::PrivateKey private_key() {
  return crypto::PrivateKey{*crypto::key_from_base64(TestFolder::private_key)};
}

TEST(ClientConf, IsWhatWgQuickReads) {
  const crypto::PrivateKey key = private_key();
  EXPECT_EQ(
      client_conf_text(sample(key)),
      "[Interface]\n# anna\nPrivateKey = " + std::string{TestFolder::private_key} +
          "\nAddress = 10.9.0.2/32, fd09::2/128\n\n[Peer]\nPublicKey = " + TestFolder::public_key +
          "\nEndpoint = [2001:db8::1]:51820\nAllowedIPs = 0.0.0.0/0, ::/0\n");
}

TEST(ClientConf, SaysWhatWasAskedFor) {
  const crypto::PrivateKey key = private_key();
  ClientConf conf = sample(key);
  conf.private_key = nullptr;
  conf.dns = {*IpAddress::parse("10.9.0.1"), *IpAddress::parse("fd09::1")};
  conf.mtu = 1400;
  conf.endpoint.host = "vpn.example.net";
  const std::string text = client_conf_text(conf);
  EXPECT_NE(text.find("\nDNS = 10.9.0.1, fd09::1\nMTU = 1400\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nEndpoint = vpn.example.net:51820\n"), std::string::npos);
  EXPECT_NE(text.find("\n# PrivateKey = "), std::string::npos);
  EXPECT_EQ(text.find("\nPrivateKey"), std::string::npos);
}

// Our own reader of such files takes it.
TEST(ClientConf, IsImportedAgain) {
  const TestFolder folder;
  const crypto::PrivateKey key = private_key();
  folder.write("wg0.conf", client_conf_text(sample(key)));
  const auto toml = import_conf_file(folder.path() + "wg0.conf");
  ASSERT_TRUE(toml) << toml.error().front().text();
  EXPECT_NE(toml->find("endpoint = \"[2001:db8::1]:51820\""), std::string::npos) << *toml;
  EXPECT_NE(toml->find("\"10.9.0.2/32\", \"fd09::2/128\""), std::string::npos);
}

}  // namespace
}  // namespace tw::node
