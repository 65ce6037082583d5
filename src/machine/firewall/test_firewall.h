// The parts that the firewall's tests in the kernel have in common: the machine of
// test_firewall_machine.h and a firewall on it, whose counters can be read.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "machine/firewall/test_firewall_machine.h"

namespace tw::node::testing {

using relay::Action;
using relay::PolicyRule;
using relay::Protocol;

class FirewallInKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!scratch_.entered()) GTEST_SKIP() << "needs root, for a network namespace";
    machine_.emplace();
    ASSERT_EQ(machine_->build(), "");
    auto firewall = Firewall::open("tw0");
    ASSERT_TRUE(firewall) << firewall.error().text();
    firewall_.emplace(std::move(*firewall));
    spec_ = machine_->spec();
  }
  void apply(std::vector<PolicyRule> policy) {
    spec_.policy = std::move(policy);
    auto applied = firewall_->apply(spec_);
    ASSERT_TRUE(applied) << applied.error().text();
  }
  Fate from_tunnel(const Flow& flow, bool hurry = false) {
    return machine_->fate(machine_->tunnel, flow, hurry);
  }
  Fate from_world(const Flow& flow, bool hurry = false) {
    return machine_->fate(machine_->world, flow, hurry);
  }
  std::uint64_t count(std::string_view name) {
    auto counts = firewall_->counts();
    if (!counts) return UINT64_MAX;
    for (const FirewallCount& one : *counts) {
      if (one.name == name) return one.packets;
    }
    return UINT64_MAX;
  }

  ScratchNamespace scratch_;
  std::optional<Machine> machine_;
  std::optional<Firewall> firewall_;
  FirewallSpec spec_;
};

inline PolicyRule rule(Action action, Protocol protocol = Protocol::any,
                       std::vector<Prefix> from = {}, std::vector<Prefix> to = {}) {
  return {.from = std::move(from),
          .to = std::move(to),
          .protocol = protocol,
          .ports = {},
          .action = action};
}

inline const IpAddress client = ip("10.1.0.1"), client6 = ip("fd01::1");
inline const IpAddress server = ip("198.51.100.7"), server6 = ip("2001:db8:9::7");

}  // namespace tw::node::testing
