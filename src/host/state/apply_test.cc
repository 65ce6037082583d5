// Apply and revert on a machine of the test's own, which can die at any step.
#include "host/state/apply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace tw::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Values =
    std::map<std::pair<std::uint32_t, SettingKey>, std::string>;  // by device; 0: machine

constexpr SettingKey gro{Kind::gro}, threaded{Kind::napi_threaded, 0}, thread{Kind::napi_thread, 0};
constexpr SettingKey governor{Kind::governor, 1};
const std::string fifo = "fifo 19 nice 0 cpus 1", plain = "other 0 nice 0 cpus 0-1";

/// As a veth: no NAPI without GRO, no thread without `threaded`.
class Machine final : public SettingAccess {
 public:
  Values values{{{2, gro}, "off"}, {{3, gro}, "off"}, {{0, governor}, "powersave"}};
  std::map<std::uint32_t, bool> there{{2, true}, {3, true}};
  std::size_t dies_after = SIZE_MAX;  // writes
  std::optional<SettingKey> refuses{};

  bool is_there(const SavedDevice& device) override { return there[device.index]; }
  Result<std::optional<std::string>> read(const SavedDevice* device,
                                          const SettingKey& key) override {
    const auto found = values.find({device == nullptr ? 0 : device->index, key});
    if (found == values.end()) return std::nullopt;
    return found->second;
  }
  Result<void> write(const SavedDevice* device, const SettingKey& key,
                     const std::string& value) override {
    if (writes_++ >= dies_after) return make_error(Error::Kind::unavailable, "dead");
    if (refuses == key) return make_error(Error::Kind::unavailable, "refused");
    const std::uint32_t of = device == nullptr ? 0 : device->index;
    if (!values.contains({of, key})) return make_error(Error::Kind::unavailable, "not there");
    values[{of, key}] = value;
    if (key == gro && value == "on") values.try_emplace({of, threaded}, "0");
    if (key == threaded && value == "1") values.try_emplace({of, thread}, plain);
    if (key == threaded && value == "0") values.erase({of, thread});
    if (key == gro && value == "off") {
      values.erase({of, threaded});
      values.erase({of, thread});
    }
    return {};
  }

 private:
  std::size_t writes_ = 0;
};

class HostApply : public ::testing::Test {
 protected:
  Machine machine_;
  const Values before_ = machine_.values;
  SavedState stored_;
  std::size_t stores_ = 0, disk_fails_after_ = SIZE_MAX;
  const Store store_ = [this](const SavedState& state) -> Result<void> {
    if (stores_++ >= disk_fails_after_) return make_error(Error::Kind::unavailable, "disk full");
    stored_ = state;
    return {};
  };

  DevicePlan plan_for(std::uint32_t index, bool with_governor = true) {
    const SavedDevice device{.netns = 1, .index = index, .name = "v" + std::to_string(index)};
    DevicePlan plan{device, {}};
    const auto want = [&](const SettingKey& key, const std::string& value, bool may_fail = false) {
      const bool of_device = setting_of(key.kind).of_device();
      plan.plan.wanted.push_back(
          {key, *machine_.read(of_device ? &device : nullptr, key), value, "", may_fail});
    };
    want(gro, "on");
    want(threaded, "1");
    want(thread, fifo);
    if (with_governor) want(governor, "performance", /*may_fail=*/true);
    return plan;
  }
  Result<Done> apply_to(std::uint32_t index, bool with_governor = true) {
    return apply({plan_for(index, with_governor)}, stored_, machine_, store_);
  }
};

TEST_F(HostApply, SetsWhatIsWantedAndPutsItBack) {
  const auto done = apply_to(2);
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_THAT(done->changed, SizeIs(4));
  EXPECT_EQ((machine_.values[{2, thread}]), fifo);
  for (const Standing& one : *standing_of(stored_, machine_)) {
    EXPECT_EQ(one.is, Standing::Is::in_place);
  }
  ASSERT_TRUE(revert(stored_, machine_, store_));
  EXPECT_EQ(machine_.values, before_);
  EXPECT_TRUE(stored_.settings.empty());
}

TEST_F(HostApply, ASecondTimeDoesNothingAndForgetsNothing) {
  ASSERT_TRUE(apply_to(2));
  const SavedState first = stored_;
  const std::size_t stores = stores_;
  const auto again = apply_to(2);
  ASSERT_TRUE(again);
  EXPECT_THAT(again->changed, SizeIs(0));
  EXPECT_EQ(stored_.settings, first.settings);
  EXPECT_EQ(stores_, stores);
  ASSERT_TRUE(revert(stored_, machine_, store_));
  EXPECT_EQ(machine_.values, before_);
}

TEST_F(HostApply, DiesAtAnyWriteAndIsPutBackByAnother) {
  for (std::size_t writes = 0; writes < 8; ++writes) {
    Machine machine;
    machine.dies_after = writes;
    SavedState stored;
    const Store store = [&](const SavedState& state) -> Result<void> {
      stored = state;
      return {};
    };
    static_cast<void>(apply({plan_for(2), plan_for(3)}, {}, machine, store));
    machine.dies_after = SIZE_MAX;
    const auto reverted = revert(stored, machine, store);
    ASSERT_TRUE(reverted);
    EXPECT_THAT(reverted->failures, SizeIs(0)) << writes;
    EXPECT_EQ(machine.values, before_) << writes;
    EXPECT_TRUE(stored.settings.empty()) << writes;
  }
}

TEST_F(HostApply, DiesInTheMiddleOfARevertAndEndsItLater) {
  for (std::size_t writes = 4; writes < 8; ++writes) {  // 4 were the apply's
    Machine machine;
    SavedState stored;
    const Store store = [&](const SavedState& state) -> Result<void> {
      stored = state;
      return {};
    };
    ASSERT_TRUE(apply({plan_for(2)}, {}, machine, store));
    const SavedState applied = stored;
    machine.dies_after = writes;
    static_cast<void>(revert(applied, machine, store));
    machine.dies_after = SIZE_MAX;
    ASSERT_TRUE(revert(applied, machine, store));  // a process that was killed has stored nothing
    EXPECT_EQ(machine.values, before_) << writes;
  }
}

TEST_F(HostApply, AllOrNothing) {
  machine_.refuses = thread;
  const auto done = apply_to(2);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().text(), HasSubstr("nothing is changed: refused"));
  EXPECT_EQ(machine_.values, before_);
  EXPECT_TRUE(stored_.settings.empty());
}

TEST_F(HostApply, WithoutAPlaceToWriteItDownNothingIsChanged) {
  disk_fails_after_ = 0;
  EXPECT_FALSE(apply_to(2));
  EXPECT_EQ(machine_.values, before_);
  disk_fails_after_ =
      stores_ + 1;  // the last store fails: back, though that cannot be stored either
  EXPECT_FALSE(apply_to(2));
  EXPECT_EQ(machine_.values, before_);
}

TEST_F(HostApply, LeavesOutWhatADriverMayRefuse) {
  machine_.refuses = governor;
  const auto done = apply_to(2);
  ASSERT_TRUE(done);
  EXPECT_THAT(done->left_out, ElementsAre(HasSubstr("refused")));
  EXPECT_THAT(stored_.settings, SizeIs(3));
}

TEST_F(HostApply, ADeviceThatIsGoneTookItsSettingsAlong) {
  ASSERT_TRUE(apply_to(2));
  machine_.there[2] = false;
  EXPECT_EQ(standing_of(stored_, machine_)->front().is, Standing::Is::gone);
  const auto reverted = revert(stored_, machine_, store_);
  ASSERT_TRUE(reverted);
  EXPECT_THAT(reverted->gone, ElementsAre("v2"));
  EXPECT_EQ((machine_.values[{0, governor}]), "powersave");
  EXPECT_TRUE(stored_.settings.empty());
}

TEST_F(HostApply, DriftIsSeenAndPutBackToo) {
  ASSERT_TRUE(apply_to(2));
  machine_.values[{0, governor}] = "ondemand";
  const auto all = standing_of(stored_, machine_);
  EXPECT_EQ(all->back().is, Standing::Is::drifted);
  EXPECT_EQ(all->back().now, "ondemand");
  ASSERT_TRUE(revert(stored_, machine_, store_));
  EXPECT_EQ(machine_.values, before_);
}

// A plan wants RPS off where it is on: when it is off by us, the next plan leaves it alone.
TEST_F(HostApply, WhatALaterPlanLeavesAloneStaysUntilTheRevert) {
  ASSERT_TRUE(apply_to(2));
  DevicePlan less = plan_for(2, false);
  less.plan.wanted.erase(less.plan.wanted.begin());
  ASSERT_TRUE(apply({less}, stored_, machine_, store_));
  EXPECT_EQ((machine_.values[{2, gro}]), "on");
  EXPECT_EQ((machine_.values[{0, governor}]), "performance");
  ASSERT_TRUE(revert(stored_, machine_, store_));
  EXPECT_EQ(machine_.values, before_);
}

TEST_F(HostApply, TwoDevicesShareASettingOfTheMachine) {
  ASSERT_TRUE(apply({plan_for(2), plan_for(3)}, stored_, machine_, store_));
  EXPECT_THAT(stored_.settings, SizeIs(7));
  ASSERT_TRUE(revert(stored_, machine_, store_));
  EXPECT_EQ(machine_.values, before_);
}

TEST_F(HostApply, ADeviceThatCannotBeReachedStaysWrittenDown) {
  machine_.write(nullptr, governor, "powersave").value();
  SavedState state{.boot = "b",
                   .devices = {{.netns = 1, .index = 2, .name = "v2"}},
                   .settings = {{threaded, 0, "0", "1"}}};  // it is down: no NAPI
  const auto reverted = revert(state, machine_, store_);
  ASSERT_TRUE(reverted);
  EXPECT_THAT(reverted->failures, ElementsAre(HasSubstr("set the device up")));
  EXPECT_EQ(stored_.settings, state.settings);
}

}  // namespace
}  // namespace tw::host
