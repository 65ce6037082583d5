// Facts in, plan out: kernels and NICs that this machine does not have.
#include "host/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace tw::host {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Facts nic(std::uint32_t napis, std::uint32_t minor = 18) {
  Facts facts;
  facts.machine = {.release = "6." + std::to_string(minor),
                   .major = 6,
                   .minor = minor,
                   .online = {0, 1, 2, 3},
                   .isolated = {},
                   .idle_states = {},
                   .busy_poll = "0",
                   .busy_read = "0",
                   .real_time_runtime_us = "950000"};
  facts.device.name = "eth0";
  facts.device.driver = "ice";
  facts.device.up = true;
  facts.device.has_netlink = true;
  facts.device.receive_queues = napis;
  for (std::uint32_t i = 0; i < napis; ++i) {
    facts.device.napis.push_back({.id = 100 + i, .irq = 30 + i});
    if (minor >= 17) {
      facts.device.napis.back().threaded = 0;
      facts.values[{Kind::napi_threaded, i}] = "0";
    }
    facts.values[{Kind::irq_affinity, 30 + i}] = "0-3";
    facts.values[{Kind::rps, i}] = "0";
  }
  facts.values[{Kind::gro}] = "on";
  facts.values[{Kind::device_threaded}] = "0";
  return facts;
}

Facts veth() {
  Facts facts = nic(0);
  facts.device.name = "va";
  facts.device.driver = "veth";
  facts.device.type = DeviceType::veth;
  facts.device.receive_queues = 2;
  facts.values[{Kind::gro}] = "off";
  facts.values[{Kind::rps, 0}] = facts.values[{Kind::rps, 1}] = "0";
  return facts;
}

/// The value that the plan wants for this setting; "" if it does not touch it.
std::string wanted(const Plan& plan, const SettingKey& key) {
  const auto found = std::ranges::find(plan.wanted, key, &Wanted::key);
  return found == plan.wanted.end() ? "" : found->value;
}

bool warns(const Plan& plan, const std::string& words) {
  return std::ranges::any_of(plan.warnings, [&](const std::string& warning) {
    return warning.find(words) != std::string::npos;
  });
}

TEST(HostPlan, ThreadsOfANicGetACpuEachAndAPriorityBelowTheApplications) {
  const Plan plan = make_plan(nic(2), {.priority = 50});
  EXPECT_EQ(plan.impossible, "");
  EXPECT_EQ(wanted(plan, {Kind::napi_threaded, 0}), "1");
  EXPECT_EQ(wanted(plan, {Kind::napi_thread, 0}), "fifo 49 nice 0 cpus 3");
  EXPECT_EQ(wanted(plan, {Kind::napi_thread, 1}), "fifo 49 nice 0 cpus 2");
  EXPECT_EQ(wanted(plan, {Kind::irq_affinity, 30}), "3");
  EXPECT_EQ(wanted(plan, {Kind::irq_affinity, 31}), "2");
  EXPECT_EQ(wanted(plan, {Kind::gro}), "");
}

TEST(HostPlan, OnlyPolicedInputIsPutAboveTheApplicationsAndSaidToBeATrap) {
  EXPECT_FALSE(warns(make_plan(nic(1), {}), "under a flood"));
  const Plan plan = make_plan(nic(1), {.core = 1, .priority = 50, .policed = true});
  EXPECT_EQ(wanted(plan, {Kind::napi_thread, 0}), "fifo 51 nice 0 cpus 1");
  EXPECT_TRUE(warns(plan, "under a flood"));
}

TEST(HostPlan, AVethGetsItsNapisByGroFirst) {
  const Plan plan = make_plan(veth(), {.core = 0});
  ASSERT_FALSE(plan.wanted.empty());
  EXPECT_EQ(plan.wanted.front().key.kind, Kind::gro);
  EXPECT_EQ(plan.wanted.front().value, "on");
  EXPECT_EQ(wanted(plan, {Kind::napi_threaded, 1}), "1");
  EXPECT_EQ(wanted(plan, {Kind::napi_thread, 1}), "fifo 19 nice 0 cpus 0");
}

TEST(HostPlan, AVethWithXdpKeepsItsGro) {
  Facts facts = veth();
  facts.device.napis = {{.id = 5, .threaded = 0}};
  EXPECT_EQ(wanted(make_plan(facts, {}), {Kind::gro}), "");
}

TEST(HostPlan, BusyPollOnAVethIsATrap) {
  Facts facts = veth();
  EXPECT_FALSE(warns(make_plan(facts, {}), "no device to poll"));
  facts.machine.busy_poll = "50";
  EXPECT_TRUE(warns(make_plan(facts, {}), "no device to poll"));
}

TEST(HostPlan, BeforeLinux617ADeviceIsThreadedAsAWhole) {
  const Plan plan = make_plan(nic(1, 12), {});
  EXPECT_EQ(wanted(plan, {Kind::device_threaded}), "1");
  EXPECT_EQ(wanted(plan, {Kind::napi_threaded, 0}), "");
  EXPECT_EQ(wanted(plan, {Kind::napi_thread, 0}), "fifo 19 nice 0 cpus 3");
}

TEST(HostPlan, BeforeLinux68ThreadsAreNotKnownAndThatIsSaid) {
  Facts facts = nic(1, 1);
  facts.device.has_netlink = false;
  facts.device.napis.clear();
  const Plan plan = make_plan(facts, {});
  EXPECT_EQ(wanted(plan, {Kind::device_threaded}), "1");
  EXPECT_TRUE(warns(plan, "worse than none"));
}

TEST(HostPlan, PollingThreadsComeWithLinux619) {
  const Plan before = make_plan(nic(1, 18), {.busy_poll = true});
  EXPECT_EQ(wanted(before, {Kind::napi_threaded, 0}), "1");
  EXPECT_TRUE(warns(before, "come with Linux 6.19"));
  const Plan since = make_plan(nic(1, 19), {.busy_poll = true});
  EXPECT_EQ(wanted(since, {Kind::napi_threaded, 0}), "2");
}

TEST(HostPlan, AThreadThatSpinsIsRealTimeOnlyOnAnIsolatedCpu) {
  Facts facts = nic(1, 19);
  EXPECT_EQ(wanted(make_plan(facts, {.core = 2, .busy_poll = true}), {Kind::napi_thread, 0}),
            "other 0 nice -20 cpus 2");
  facts.machine.isolated = {2};
  EXPECT_EQ(wanted(make_plan(facts, {.busy_poll = true}), {Kind::napi_thread, 0}),
            "fifo 19 nice 0 cpus 2");
}

TEST(HostPlan, IsolatedCpusAreTakenFirst) {
  Facts facts = nic(2);
  facts.machine.isolated = {1};
  const Plan plan = make_plan(facts, {});
  EXPECT_EQ(wanted(plan, {Kind::napi_thread, 0}), "fifo 19 nice 0 cpus 1");
  EXPECT_EQ(wanted(plan, {Kind::napi_thread, 1}), "fifo 19 nice 0 cpus 1");
}

TEST(HostPlan, DeferredInterruptsWithoutAPollerAreTakenBack) {
  Facts facts = nic(1);
  facts.values[{Kind::defer_hard_irqs, 0}] = "2";
  facts.values[{Kind::gro_flush_timeout, 0}] = "200000";
  const Plan plan = make_plan(facts, {});
  EXPECT_EQ(wanted(plan, {Kind::defer_hard_irqs, 0}), "0");
  EXPECT_EQ(wanted(plan, {Kind::gro_flush_timeout, 0}), "0");
  EXPECT_TRUE(warns(plan, "defers its interrupts"));
  facts.values[{Kind::irq_suspend_timeout, 0}] = "20000000";  // an application polls
  EXPECT_EQ(wanted(make_plan(facts, {}), {Kind::defer_hard_irqs, 0}), "");
}

TEST(HostPlan, RpsIsTurnedOff) {
  Facts facts = nic(2);
  facts.values[{Kind::rps, 1}] = "f";
  const Plan plan = make_plan(facts, {});
  EXPECT_EQ(wanted(plan, {Kind::rps, 0}), "");
  EXPECT_EQ(wanted(plan, {Kind::rps, 1}), "0");
}

TEST(HostPlan, OnlyThePollingCpusAreKeptAwake) {
  Facts facts = nic(1);
  facts.machine.idle_states = {{2, 1, "C1", 2}, {2, 2, "C6", 133}, {3, 2, "C6", 133}};
  for (const std::uint32_t cpu : {2U, 3U}) facts.values[{Kind::governor, cpu}] = "powersave";
  for (const IdleState& idle : facts.machine.idle_states) {
    facts.values[{Kind::idle_state, idle.cpu, idle.state}] = "0";
  }
  const Plan plan = make_plan(facts, {.core = 2});
  EXPECT_EQ(wanted(plan, {Kind::governor, 2}), "performance");
  EXPECT_EQ(wanted(plan, {Kind::idle_state, 2, 2}), "1");
  EXPECT_EQ(wanted(plan, {Kind::idle_state, 2, 1}), "");
  EXPECT_EQ(wanted(plan, {Kind::governor, 3}), "");
  EXPECT_EQ(wanted(plan, {Kind::idle_state, 3, 2}), "");
}

TEST(HostPlan, SaysWhatIsInPlaceAlready) {
  Facts facts = nic(1);
  facts.values[{Kind::napi_threaded, 0}] = "1";
  facts.values[{Kind::napi_thread, 0}] = "fifo 19 nice 0 cpus 3";
  facts.values[{Kind::irq_affinity, 30}] = "3";
  const Plan plan = make_plan(facts, {});
  EXPECT_FALSE(std::ranges::any_of(plan.wanted, &Wanted::changes));
}

TEST(HostPlan, AWireGuardDeviceGetsAThreadPerPeerAndNoPriority) {
  Facts facts = nic(0);
  facts.device.type = DeviceType::wireguard;
  const Plan plan = make_plan(facts, {});
  ASSERT_EQ(plan.wanted.size(), 1U);
  EXPECT_EQ(plan.wanted.front().key.kind, Kind::device_threaded);
  EXPECT_TRUE(warns(plan, "one kernel thread per peer"));
}

TEST(HostPlan, RefusesWhatCannotBeDone) {
  Facts facts = nic(1);
  EXPECT_THAT(make_plan(facts, {.core = 9}).impossible, HasSubstr("CPU 9 is not online"));
  facts.device.up = false;
  EXPECT_THAT(make_plan(facts, {}).impossible, HasSubstr("is down"));
  facts.device.type = DeviceType::loopback;
  EXPECT_THAT(make_plan(facts, {}).impossible, HasSubstr("loopback"));
  facts.device.type = DeviceType::bridge;
  EXPECT_THAT(make_plan(facts, {}).impossible, HasSubstr("ports"));
  EXPECT_THAT(make_plan(facts, {}).wanted, IsEmpty());
  Facts without = nic(0);
  EXPECT_THAT(make_plan(without, {}).impossible, HasSubstr("no NAPI"));
}

}  // namespace
}  // namespace tw::host
