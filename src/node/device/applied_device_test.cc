#include "node/device/applied_device.h"

#include <gtest/gtest.h>

namespace tw::node {
namespace {

Endpoint at(std::string_view text) { return Endpoint::parse(text).value(); }

/// Keeps the endpoints of its peers, and what it was told.
class Recorder final : public DeviceControl {
 public:
  Result<void> apply(const DeviceChange& change) override {
    if (refuse) return make_error(Error::Kind::unavailable, "the port is in use");
    changes.push_back(change);
    for (const PeerChange& one : change.peers) {
      auto found = std::ranges::find(now.peers, one.public_key, &PeerState::public_key);
      if (found == now.peers.end()) {
        found = now.peers.emplace(found);
        found->public_key = one.public_key;
      }
      if (one.endpoint) found->endpoint = one.endpoint;
    }
    return {};
  }
  Result<DeviceState> state() override { return now; }

  DeviceState now;
  std::vector<DeviceChange> changes;
  bool refuse = false;
};

WantedDevice wanted(std::optional<Endpoint> endpoint) {
  WantedDevice device;
  device.peers.emplace_back().public_key.bytes.fill(1);
  device.peers[0].endpoint = endpoint;
  return device;
}

class AppliedDeviceTest : public testing::Test {
 protected:
  const crypto::PublicKey key_ = wanted({}).peers[0].public_key;
  Recorder device_;
  AppliedDevice applied_{device_};
};

TEST_F(AppliedDeviceTest, APeerThatHasRoamedIsLeftAloneByAReload) {
  ASSERT_TRUE(applied_.apply(wanted(at("192.0.2.1:1"))));
  device_.now.peers.at(0).endpoint = at("198.51.100.9:9");
  ASSERT_TRUE(applied_.apply(wanted(at("192.0.2.1:1"))));
  EXPECT_EQ(device_.now.peers[0].endpoint, at("198.51.100.9:9"));
  ASSERT_TRUE(applied_.apply(wanted(at("192.0.2.2:2"))));
  EXPECT_EQ(device_.now.peers[0].endpoint, at("192.0.2.2:2"));
}

TEST_F(AppliedDeviceTest, AMoveIsComparedWithAtTheNextReload) {
  ASSERT_TRUE(applied_.apply(wanted({})));
  const NamedEndpoints::Move move{key_, at("192.0.2.1:1")};
  ASSERT_TRUE(applied_.move({{move}}, {}));
  EXPECT_EQ(device_.now.peers.at(0).endpoint, at("192.0.2.1:1"));
  device_.now.peers[0].endpoint = at("198.51.100.9:9");
  ASSERT_TRUE(applied_.apply(wanted(at("192.0.2.1:1"))));
  EXPECT_EQ(device_.now.peers[0].endpoint, at("198.51.100.9:9")) << "it has roamed since";
}

TEST_F(AppliedDeviceTest, AMoveToWhereAPeerIsChangesNothing) {
  ASSERT_TRUE(applied_.apply(wanted(at("192.0.2.1:1"))));
  const std::size_t before = device_.changes.size();
  NamedEndpoints::Move moves[]{{key_, at("192.0.2.1:1")}, {{}, at("192.0.2.3:3")}};
  ASSERT_TRUE(applied_.move(moves, {}));
  EXPECT_EQ(device_.changes.size(), before) << "nor does one of a stranger";
}

TEST_F(AppliedDeviceTest, AfterAFailureTheOldConfigurationIsComparedWith) {
  ASSERT_TRUE(applied_.apply(wanted(at("192.0.2.1:1"))));
  device_.refuse = true;
  EXPECT_FALSE(applied_.apply(wanted(at("192.0.2.2:2"))));
  device_.refuse = false;
  ASSERT_TRUE(applied_.apply(wanted(at("192.0.2.2:2"))));
  EXPECT_EQ(device_.now.peers.at(0).endpoint, at("192.0.2.2:2"));
}

}  // namespace
}  // namespace tw::node
