#include "lab/clients/keys.h"

#include <gtest/gtest.h>

#include <set>

#include "crypto/primitives.h"

namespace tw::lab {
namespace {

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

// The run and the target's configuration are made by two calls, which must agree for ever.
TEST(ClientKeys, FollowFromSeedAndNumberAlone) {
  EXPECT_EQ(client_key(7, 3), client_key(7, 3));
  EXPECT_EQ(crypto::key_to_base64(crypto::public_key_of(client_key(1, 0)).bytes).size(), 44U);
  std::set<std::string> all;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    all.insert(crypto::key_to_base64(target_key(seed).view()));
    for (std::uint32_t number = 0; number < 50; ++number) {
      all.insert(crypto::key_to_base64(client_key(seed, number).view()));
    }
  }
  EXPECT_EQ(all.size(), 4U * 51U);
}

TEST(ClientKeys, AreClampedAsWgWouldClampThem) {
  const auto key = client_key(1, 1);
  EXPECT_EQ(key, crypto::clamped(key));
}

TEST(ClientAddresses, LeaveOutTheFirstAndTheLast) {
  const Prefix prefix = *Prefix::parse("10.9.0.0/29");
  EXPECT_EQ(address_count(prefix), 6U);
  EXPECT_EQ(client_address(prefix, 0).text(), "10.9.0.1");
  EXPECT_EQ(client_address(prefix, 5).text(), "10.9.0.6");
  EXPECT_EQ(address_count(*Prefix::parse("10.9.0.0/31")), 0U);
  EXPECT_EQ(address_count(*Prefix::parse("10.9.0.0/32")), 0U);
  EXPECT_EQ(client_address(*Prefix::parse("10.64.0.0/10"), 1000).text(), "10.64.3.233");
}

TEST(TargetConfiguration, HasEveryPeerAndTheBystander) {
  ClientsOptions options;
  options.peers = 3;
  options.target = *Endpoint::parse("192.0.2.1:51821");
  const std::string text = target_configuration(options);
  EXPECT_EQ(occurrences(text, "[Peer]"), 4U);
  EXPECT_NE(text.find("ListenPort = 51821\n"), std::string::npos);
  EXPECT_NE(text.find("PrivateKey = " + crypto::key_to_base64(target_key(1).view())),
            std::string::npos);
  EXPECT_NE(text.find("AllowedIPs = 10.64.0.4/32\n"), std::string::npos);
  const auto bystander = crypto::public_key_of(client_key(1, 3));
  EXPECT_NE(text.find(crypto::key_to_base64(bystander.bytes)), std::string::npos);
}

// `wg setconf` without a PrivateKey would clear the target's.
TEST(TargetConfiguration, LeavesATargetItsOwnKey) {
  ClientsOptions options;
  options.peers = 1;
  options.target_key = crypto::public_key_of(client_key(9, 9));
  EXPECT_EQ(target_public_key(options), *options.target_key);
  const std::string text = target_configuration(options);
  EXPECT_EQ(text.find("[Interface]"), std::string::npos);
  EXPECT_EQ(text.find("PrivateKey"), std::string::npos);
}

}  // namespace
}  // namespace tw::lab
