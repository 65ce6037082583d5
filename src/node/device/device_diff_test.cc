#include "node/device/device_diff.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/primitives.h"

namespace tw::node {
namespace {

crypto::Secret<32> secret(std::uint8_t fill) {
  crypto::Secret<32> secret;
  std::fill_n(secret.span().begin(), 32, fill);
  return secret;
}

WantedPeer wanted_peer(std::uint8_t number) {
  WantedPeer peer;
  peer.public_key.bytes.fill(number);
  peer.preshared_key = secret(number);
  peer.endpoint = Endpoint::parse("192.0.2.1:51820");
  peer.allowed_ips = {*Prefix::parse("10.0.0.0/8"), *Prefix::parse("fd00::/64")};
  peer.persistent_keepalive_s = 25;
  return peer;
}

WantedDevice wanted_device() {
  WantedDevice device;
  device.private_key = secret(200);
  device.listen_port = 51820;
  device.fwmark = 5;
  device.peers = {wanted_peer(1), wanted_peer(2)};
  return device;
}

/// Returns the state of a device that was given just that.
DeviceState state_of(const WantedDevice& wanted) {
  DeviceState state;
  state.private_key = crypto::clamped(wanted.private_key);
  state.listen_port = wanted.listen_port == 0 ? std::uint16_t{40000} : wanted.listen_port;
  state.fwmark = wanted.fwmark;
  for (const WantedPeer& peer : wanted.peers) {
    PeerState& out = state.peers.emplace_back();
    out.public_key = peer.public_key;
    out.preshared_key = peer.preshared_key;
    out.endpoint = peer.endpoint;
    out.allowed_ips = {peer.allowed_ips.rbegin(), peer.allowed_ips.rend()};
    out.persistent_keepalive_s = peer.persistent_keepalive_s;
  }
  return state;
}

bool is_empty(const DeviceChange& change) {
  return !change.private_key && !change.listen_port && !change.fwmark && !change.replace_peers &&
         change.peers.empty();
}

TEST(Difference, TheSameIsNothing) {
  const WantedDevice device = wanted_device();
  EXPECT_TRUE(is_empty(difference(state_of(device), device, device)));
  EXPECT_TRUE(is_empty(difference(DeviceState{}, WantedDevice{}, WantedDevice{})));
}

TEST(Difference, FromNothingIsEverything) {
  const WantedDevice device = wanted_device();
  const DeviceChange change = difference(DeviceState{}, WantedDevice{}, device);
  EXPECT_EQ(change.private_key, crypto::clamped(device.private_key));
  EXPECT_EQ(change.listen_port, 51820);
  EXPECT_EQ(change.fwmark, 5U);
  ASSERT_EQ(change.peers.size(), 2U);
  EXPECT_EQ(change.peers[0].preshared_key, secret(1));
  EXPECT_EQ(change.peers[0].endpoint, device.peers[0].endpoint);
  EXPECT_EQ(change.peers[0].allowed_ips.size(), 2U);
  EXPECT_EQ(change.peers[0].persistent_keepalive_s, 25);
}

// A peer without anything is still a peer.
TEST(Difference, APeerWithoutSettingsIsAdded) {
  WantedDevice device;
  device.peers.emplace_back().public_key.bytes.fill(3);
  EXPECT_EQ(difference(DeviceState{}, WantedDevice{}, device).peers.size(), 1U);
}

TEST(Difference, ARoamedEndpointStays) {
  const WantedDevice before = wanted_device();
  DeviceState now = state_of(before);
  now.peers[0].endpoint = Endpoint::parse("198.51.100.7:4");
  EXPECT_TRUE(is_empty(difference(now, before, before)));
  WantedDevice wanted = before;
  wanted.peers[0].endpoint = Endpoint::parse("192.0.2.2:51820");
  const DeviceChange change = difference(now, before, wanted);
  ASSERT_EQ(change.peers.size(), 1U);
  EXPECT_EQ(change.peers[0].endpoint, wanted.peers[0].endpoint);
  EXPECT_FALSE(change.peers[0].preshared_key || change.peers[0].persistent_keepalive_s);
  EXPECT_TRUE(change.peers[0].allowed_ips.empty());
}

TEST(Difference, OnlyWhatDiffersIsNamed) {
  const WantedDevice before = wanted_device();
  WantedDevice wanted = before;
  wanted.peers[1].allowed_ips = {*Prefix::parse("10.0.0.0/8"), *Prefix::parse("10.9.0.0/16")};
  wanted.peers[1].preshared_key = crypto::PresharedKey{};
  wanted.peers[1].persistent_keepalive_s = 0;
  const DeviceChange change = difference(state_of(before), before, wanted);
  ASSERT_EQ(change.peers.size(), 1U);
  const PeerChange& peer = change.peers[0];
  EXPECT_EQ(peer.public_key, wanted.peers[1].public_key);
  EXPECT_TRUE(peer.preshared_key->is_zero());
  EXPECT_EQ(peer.persistent_keepalive_s, 0);
  EXPECT_FALSE(peer.endpoint || peer.replace_allowed_ips);
  ASSERT_EQ(peer.allowed_ips.size(), 2U);
  EXPECT_EQ(peer.allowed_ips[0].prefix, *Prefix::parse("fd00::/64"));
  EXPECT_TRUE(peer.allowed_ips[0].remove);
  EXPECT_EQ(peer.allowed_ips[1].prefix, *Prefix::parse("10.9.0.0/16"));
  EXPECT_FALSE(peer.allowed_ips[1].remove);
}

TEST(Difference, WhoIsNotWantedGoes) {
  const WantedDevice before = wanted_device();
  WantedDevice wanted = before;
  wanted.peers.erase(wanted.peers.begin());
  const DeviceChange change = difference(state_of(before), before, wanted);
  ASSERT_EQ(change.peers.size(), 1U);
  EXPECT_TRUE(change.peers[0].remove);
  EXPECT_EQ(change.peers[0].public_key, before.peers[0].public_key);
}

TEST(Difference, AnyPortIsKept) {
  WantedDevice any = wanted_device();
  any.listen_port = 0;
  EXPECT_FALSE(difference(state_of(any), any, any).listen_port);
  EXPECT_EQ(difference(state_of(wanted_device()), wanted_device(), any).listen_port, 0);
  EXPECT_EQ(difference(state_of(any), any, wanted_device()).listen_port, 51820);
}

}  // namespace
}  // namespace tw::node
