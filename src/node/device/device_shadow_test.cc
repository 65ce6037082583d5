#include "node/device/device_shadow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/primitives.h"

namespace tw::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

crypto::PublicKey key(std::uint16_t number) {
  crypto::PublicKey key;
  key.bytes[0] = static_cast<std::uint8_t>(number);
  key.bytes[1] = static_cast<std::uint8_t>(number >> 8U);
  return key;
}

crypto::Secret<32> secret(std::uint8_t fill) {
  crypto::Secret<32> secret;
  std::fill_n(secret.span().begin(), 32, fill);
  return secret;
}

Prefix prefix(const char* text) { return *Prefix::parse(text); }

PeerChange peer(std::uint16_t number, const std::vector<const char*>& allowed_ips = {}) {
  PeerChange change;
  change.public_key = key(number);
  for (const char* text : allowed_ips) change.allowed_ips.push_back({prefix(text), false});
  return change;
}

PeerChange removal(std::uint16_t number) {
  PeerChange change = peer(number);
  change.remove = true;
  return change;
}

DeviceChange change(std::vector<PeerChange> peers, bool replace = false) {
  DeviceChange change;
  change.peers = std::move(peers);
  change.replace_peers = replace;
  return change;
}

class Shadow : public testing::Test {
 protected:
  DevicePlan apply(const DeviceChange& what) {
    EXPECT_TRUE(shadow.check(what));
    return shadow.apply(what);
  }
  DeviceShadow shadow{100};
};

TEST_F(Shadow, ANewPeerIsAddedWithAllItHas) {
  PeerChange wish = peer(1, {"10.0.0.0/8"});
  wish.preshared_key = secret(3);
  wish.endpoint = Endpoint::parse("192.0.2.1:5");
  wish.persistent_keepalive_s = 25;
  const DevicePlan plan = apply(change({wish}));
  EXPECT_THAT(plan.removed, IsEmpty());
  EXPECT_FALSE(plan.private_key);
  ASSERT_EQ(plan.peers.size(), 1U);
  const PeerStep& step = plan.peers[0];
  ASSERT_TRUE(step.added);
  EXPECT_EQ(step.added->public_key, key(1));
  EXPECT_EQ(step.added->preshared_key, secret(3));
  EXPECT_FALSE(step.preshared_key);
  EXPECT_EQ(step.endpoint, Endpoint::parse("192.0.2.1:5"));
  EXPECT_EQ(step.keepalive, Duration{25s});
  EXPECT_THAT(step.gains, ElementsAre(prefix("10.0.0.0/8")));
}

TEST_F(Shadow, TheSameAgainTouchesNobody) {
  PeerChange wish = peer(1, {"10.0.0.0/8"});
  wish.preshared_key = secret(3);
  wish.persistent_keepalive_s = 25;
  wish.replace_allowed_ips = true;
  DeviceChange all = change({wish});
  all.private_key = secret(9);
  apply(all);
  const DevicePlan plan = apply(all);
  EXPECT_FALSE(plan.private_key);
  EXPECT_THAT(plan.peers, IsEmpty());
  all.replace_peers = true;
  EXPECT_THAT(apply(all).peers, IsEmpty());
  EXPECT_THAT(apply(all).removed, IsEmpty());
}

TEST_F(Shadow, APresharedKeyOfALivePeerIsAStepOfItsOwn) {
  apply(change({peer(1)}));
  PeerChange wish = peer(1);
  wish.preshared_key = secret(4);
  const DevicePlan plan = apply(change({wish}));
  ASSERT_EQ(plan.peers.size(), 1U);
  EXPECT_FALSE(plan.peers[0].added);
  EXPECT_EQ(plan.peers[0].preshared_key, secret(4));
}

TEST_F(Shadow, AnAllowedIpMovesToWhoeverNamesItLast) {
  apply(change({peer(1, {"10.0.0.0/8", "10.1.0.0/16"}), peer(2)}));
  const DevicePlan plan = apply(change({peer(2, {"10.0.0.0/8"})}));
  ASSERT_EQ(plan.peers.size(), 1U);  // the first loses it by that
  EXPECT_EQ(plan.peers[0].id, wg::PeerId{1});
  EXPECT_THAT(plan.peers[0].gains, ElementsAre(prefix("10.0.0.0/8")));
  EXPECT_THAT(shadow.find(wg::PeerId{0})->allowed_ips, ElementsAre(prefix("10.1.0.0/16")));
}

TEST_F(Shadow, MovingThereAndBackIsNoChange) {
  apply(change({peer(1, {"10.0.0.0/8"}), peer(2)}));
  const DevicePlan plan = apply(change({peer(2, {"10.0.0.0/8"}), peer(1, {"10.0.0.0/8"})}));
  EXPECT_THAT(plan.peers, IsEmpty());
}

TEST_F(Shadow, TakingAnAllowedIpNeedsItsOwner) {
  apply(change({peer(1, {"10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"}), peer(2)}));
  PeerChange thief = peer(2);
  thief.allowed_ips.push_back({prefix("10.0.0.0/8"), true});
  EXPECT_THAT(apply(change({thief})).peers, IsEmpty());
  PeerChange owner = peer(1);
  owner.allowed_ips.push_back({prefix("10.0.0.0/8"), true});
  const DevicePlan plan = apply(change({owner}));
  ASSERT_EQ(plan.peers.size(), 1U);
  EXPECT_THAT(plan.peers[0].loses, ElementsAre(prefix("10.0.0.0/8")));
  EXPECT_THAT(shadow.find(wg::PeerId{0})->allowed_ips,
              UnorderedElementsAre(prefix("10.1.0.0/16"), prefix("10.2.0.0/16")));
}

TEST_F(Shadow, ReplacingAllowedIpsChangesTheDifference) {
  apply(change({peer(1, {"10.0.0.0/8", "10.1.0.0/16"})}));
  PeerChange wish = peer(1, {"10.1.0.0/16", "10.2.0.0/16"});
  wish.replace_allowed_ips = true;
  const DevicePlan plan = apply(change({wish}));
  ASSERT_EQ(plan.peers.size(), 1U);
  EXPECT_THAT(plan.peers[0].gains, ElementsAre(prefix("10.2.0.0/16")));
  EXPECT_THAT(plan.peers[0].loses, ElementsAre(prefix("10.0.0.0/8")));
  EXPECT_THAT(plan.freed, ElementsAre(prefix("10.0.0.0/8")));
}

// A prefix that moves from peer to peer is not free in between.
TEST_F(Shadow, FreedIsWhatNobodyHasAfterwards) {
  apply(change({peer(1, {"10.0.0.0/8", "10.1.0.0/16"}), peer(2, {"10.2.0.0/16"})}));
  const DevicePlan plan = apply(change({removal(1), peer(2, {"10.1.0.0/16"})}));
  EXPECT_THAT(plan.freed, ElementsAre(prefix("10.0.0.0/8")));
  EXPECT_THAT(apply(change({removal(2)})).freed,
              ElementsAre(prefix("10.1.0.0/16"), prefix("10.2.0.0/16")));
}

TEST_F(Shadow, ARemovedPeerLeavesNothing) {
  apply(change({peer(1, {"10.0.0.0/8"})}));
  const DevicePlan plan = apply(change({removal(1), removal(7)}));
  EXPECT_THAT(plan.removed, ElementsAre(wg::PeerId{0}));
  EXPECT_THAT(plan.peers, IsEmpty());
  EXPECT_TRUE(shadow.peers().empty());
  // Nobody else inherits the allowed IP, or the slot within the same change.
  const DevicePlan next = apply(change({peer(2)}));
  EXPECT_THAT(next.peers.at(0).gains, IsEmpty());
}

TEST_F(Shadow, RemovedAndNamedAgainIsANewPeer) {
  apply(change({peer(1, {"10.0.0.0/8"})}));
  const DevicePlan plan = apply(change({removal(1), peer(1, {"10.0.0.0/8"})}));
  EXPECT_THAT(plan.removed, ElementsAre(wg::PeerId{0}));
  ASSERT_EQ(plan.peers.size(), 1U);
  EXPECT_TRUE(plan.peers[0].added);
  EXPECT_NE(plan.peers[0].id, wg::PeerId{0});
  EXPECT_THAT(plan.peers[0].gains, ElementsAre(prefix("10.0.0.0/8")));
}

TEST_F(Shadow, NamedAndRemovedAgainIsNothing) {
  apply(change({peer(1, {"10.0.0.0/8"})}));
  const DevicePlan plan = apply(change({peer(2, {"10.0.0.0/8"}), removal(2)}));
  EXPECT_THAT(plan.removed, IsEmpty());
  ASSERT_EQ(plan.peers.size(), 1U);  // it had taken the allowed IP, and took it along
  EXPECT_EQ(plan.peers[0].id, wg::PeerId{0});
  EXPECT_THAT(plan.peers[0].loses, ElementsAre(prefix("10.0.0.0/8")));
}

TEST_F(Shadow, UpdateOnlyMakesNobody) {
  PeerChange wish = peer(1, {"10.0.0.0/8"});
  wish.update_only = true;
  EXPECT_THAT(apply(change({wish})).peers, IsEmpty());
  EXPECT_TRUE(shadow.peers().empty());
  apply(change({peer(1)}));
  EXPECT_EQ(apply(change({wish})).peers.size(), 1U);
  // All are replaced: nobody is left to be updated.
  EXPECT_THAT(apply(change({wish}, true)).removed, ElementsAre(wg::PeerId{0}));
}

TEST_F(Shadow, ReplacingPeersKeepsThoseNamedAndForgetsWhatIsNotSaid) {
  PeerChange rich = peer(1, {"10.0.0.0/8", "10.1.0.0/16"});
  rich.preshared_key = secret(3);
  rich.persistent_keepalive_s = 25;
  apply(change({rich, peer(2)}));
  const DevicePlan plan = apply(change({peer(1, {"10.0.0.0/8"}), peer(3)}, true));
  EXPECT_THAT(plan.removed, ElementsAre(wg::PeerId{1}));
  ASSERT_EQ(plan.peers.size(), 2U);
  EXPECT_FALSE(plan.peers[0].added);
  EXPECT_TRUE(plan.peers[0].preshared_key->is_zero());
  EXPECT_EQ(plan.peers[0].keepalive, Duration::zero());
  EXPECT_THAT(plan.peers[0].loses, ElementsAre(prefix("10.1.0.0/16")));
  EXPECT_THAT(plan.peers[0].gains, IsEmpty());
  EXPECT_EQ(plan.peers[1].added->public_key, key(3));
}

TEST_F(Shadow, NobodyIsAPeerOfItself) {
  const crypto::PrivateKey own = secret(9);
  PeerChange self = peer(0, {"10.0.0.0/8"});
  self.public_key = crypto::public_key_of(own);
  apply(change({self, peer(2)}));
  EXPECT_EQ(shadow.peers().size(), 2U);
  DeviceChange identity;
  identity.private_key = own;
  const DevicePlan plan = apply(identity);
  EXPECT_EQ(plan.private_key, crypto::clamped(own));
  EXPECT_THAT(plan.removed, ElementsAre(wg::PeerId{0}));
  EXPECT_THAT(apply(change({self})).peers, IsEmpty());
  EXPECT_EQ(shadow.peers().size(), 1U);
}

TEST_F(Shadow, AnAllZeroKeyIsNoIdentity) {
  DeviceChange identity;
  identity.private_key = secret(9);
  apply(identity);
  identity.private_key = crypto::PrivateKey{};
  EXPECT_TRUE(apply(identity).private_key->is_zero());
  EXPECT_TRUE(shadow.private_key().is_zero());
}

TEST_F(Shadow, SlotsAreReusedLongestFreeFirst) {
  apply(change({peer(1), peer(2), peer(3)}));
  apply(change({removal(2)}));
  apply(change({removal(1)}));
  EXPECT_EQ(apply(change({peer(4)})).peers.at(0).id, wg::PeerId{1});
  EXPECT_EQ(apply(change({peer(5)})).peers.at(0).id, wg::PeerId{0});
  EXPECT_EQ(apply(change({peer(6)})).peers.at(0).id, wg::PeerId{3});
}

TEST(DeviceShadow, RefusesTooManyPeersAndStaysAsItWas) {
  DeviceShadow shadow{2};
  ASSERT_TRUE(shadow.check(change({peer(1), peer(2), peer(1)})));
  shadow.apply(change({peer(1), peer(2)}));
  PeerChange update = peer(4);
  update.update_only = true;
  EXPECT_TRUE(shadow.check(change({update})));
  EXPECT_TRUE(shadow.check(change({removal(1), peer(3)})));
  EXPECT_TRUE(shadow.check(change({peer(3), peer(4)}, true)));
  const Result<void> refused = shadow.check(change({peer(3)}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Error::Kind::exhausted);
  EXPECT_FALSE(shadow.check(change({removal(3), peer(3)})));
  EXPECT_FALSE(shadow.check(change({removal(1), peer(1), peer(3)})));
  EXPECT_EQ(shadow.peers().size(), 2U);
}

}  // namespace
}  // namespace tw::node
