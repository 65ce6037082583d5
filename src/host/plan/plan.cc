#include "host/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "host/settings/thread_policy.h"

namespace tw::host {
namespace {

// A CPU that needs longer to wake than a thread does (30 us measured across cores) shows in the
// tail; one that is quicker does not.
constexpr std::uint32_t slow_to_wake_us = 30;
constexpr int busy_thread_nice = -20;

struct Planning {
  const Facts& facts;
  const Wishes& wishes;
  Plan plan{};

  const DeviceFacts& device() const { return facts.device; }
  void want(const SettingKey& key, std::string value, std::string why, bool may_fail = false) {
    plan.wanted.push_back({key, facts.value(key.kind, key.index, key.sub), std::move(value),
                           std::move(why), may_fail});
  }
  void leave(std::string what, std::string now, std::string why) {
    plan.left.push_back({std::move(what), std::move(now), std::move(why)});
  }
  void warn(std::string text) { plan.warnings.push_back(std::move(text)); }

  bool gets_napis_by_gro() const {
    return device().type == DeviceType::veth && device().napis.empty();
  }
  std::uint32_t napis() const {
    return gets_napis_by_gro() ? device().receive_queues
                               : static_cast<std::uint32_t>(device().napis.size());
  }
  /// True if each NAPI can be set by itself.
  bool sets_each() const {
    if (!device().has_netlink) return false;
    if (device().napis.empty()) return facts.machine.at_least(6, 17);
    return device().napis.front().threaded.has_value();
  }
  bool polls_always() const { return wishes.busy_poll && facts.machine.at_least(6, 19); }
  std::vector<std::uint32_t> cores() const {
    if (wishes.core) return {*wishes.core};
    if (!facts.machine.isolated.empty()) return facts.machine.isolated;
    // From the last: the first takes most of a machine's other interrupts.
    return {facts.machine.online.rbegin(), facts.machine.online.rend()};
  }
  std::uint32_t core_of(std::uint32_t napi) const {
    const auto all = cores();
    return all[napi % all.size()];
  }
  bool is_isolated(std::uint32_t cpu) const {
    return std::ranges::find(facts.machine.isolated, cpu) != facts.machine.isolated.end();
  }
};

std::string why_impossible(const Planning& planning) {
  const DeviceFacts& device = planning.device();
  const auto& online = planning.facts.machine.online;
  const auto core = planning.wishes.core;
  if (core && std::ranges::find(online, *core) == online.end()) {
    return fmt::format("CPU {} is not online here: name one that is", *core);
  }
  if (device.type == DeviceType::loopback) {
    return "a loopback device has no NAPI: packets are received where they are sent";
  }
  if (device.type == DeviceType::bridge) {
    return "a bridge has no NAPI: packets arrive at its ports, name those";
  }
  if (device.type == DeviceType::wireguard) return {};
  if (!device.up) return "it is down, and a device has NAPIs only while it is up: set it up first";
  if (planning.napis() == 0 && device.has_netlink) {
    return fmt::format("its driver ({}) uses no NAPI", device.driver);
  }
  return {};
}

void plan_gro(Planning& planning) {
  const auto gro = planning.facts.value(Kind::gro);
  if (planning.gets_napis_by_gro()) {
    planning.want({Kind::gro}, "on",
                  "a veth has NAPIs only while GRO (or XDP) is on; without them its packets are "
                  "received in softirq, on the sender's CPU");
  } else if (gro) {
    planning.leave("GRO", *gro, "its NAPIs are there");
  }
}

void plan_wireguard(Planning& planning) {
  planning.want({Kind::device_threaded}, "1",
                "kernel WireGuard delivers every peer's packets in softirq; threads spread that "
                "over the CPUs and let the scheduler be fair to the others");
  planning.warn("this makes one kernel thread per peer: with a thousand peers, a thousand");
  planning.leave("priority of these threads", "",
                 "they are many, and what peers send is not policed");
}

void plan_threaded(Planning& planning) {
  const bool always = planning.polls_always();
  const std::string value = always ? "2" : "1";
  std::string why =
      always ? "a thread that polls without a pause: no softirq and no wake-up delays a packet"
             : "in softirq, packets wait for whatever else is pending on that CPU; a thread can be "
               "given a CPU and a priority";
  if (planning.wishes.busy_poll && !always) {
    planning.warn(
        fmt::format("busy-polling NAPI threads (threaded=2) come with Linux 6.19, this is "
                    "{}: threads that sleep are planned instead",
                    planning.facts.machine.release));
  }
  if (!planning.sets_each()) {
    planning.want({Kind::device_threaded}, "1", std::move(why));
    return;
  }
  for (std::uint32_t napi = 0; napi < planning.napis(); ++napi) {
    planning.want({Kind::napi_threaded, napi}, value, why);
  }
}

void plan_threads(Planning& planning) {
  if (!planning.device().has_netlink) {
    planning.leave("NAPI threads' CPUs and priority", "",
                   "this kernel does not say which threads they are (netdev netlink, Linux 6.8)");
    planning.warn(
        "threaded NAPI without a priority is worse than none beside other load: set it "
        "by hand (chrt, taskset), or use a newer kernel");
    return;
  }
  const int priority = napi_priority(planning.wishes);
  for (std::uint32_t napi = 0; napi < planning.napis(); ++napi) {
    const std::uint32_t core = planning.core_of(napi);
    const bool spins_among_others = planning.polls_always() && !planning.is_isolated(core);
    ThreadPolicy policy{
        .scheduling = ThreadPolicy::Class::fifo, .priority = priority, .cpus = {core}};
    std::string why;
    if (spins_among_others) {
      policy = {.nice = busy_thread_nice, .cpus = {core}};
      why = fmt::format(
          "it spins: with a real-time priority on CPU {}, which is not isolated, "
          "kworkers would starve and it would stand still 50 ms a second",
          core);
    } else if (planning.wishes.policed) {
      why = fmt::format(
          "above the applications ({}), because what arrives is policed; no hog "
          "delays it",
          planning.wishes.priority);
    } else {
      why = fmt::format(
          "real-time, so no hog delays it, but one below the applications ({}): a "
          "flood then fills the queue and not their CPU",
          planning.wishes.priority);
    }
    planning.want({Kind::napi_thread, napi}, to_text(policy), std::move(why));
  }
}

void plan_deferral(Planning& planning) {
  for (std::uint32_t i = 0; i < planning.device().napis.size(); ++i) {
    const auto deferred = planning.facts.value(Kind::defer_hard_irqs, i).value_or("0");
    const auto timeout = planning.facts.value(Kind::gro_flush_timeout, i).value_or("0");
    const auto suspended = planning.facts.value(Kind::irq_suspend_timeout, i).value_or("0");
    if (deferred == "0" && timeout == "0") continue;
    if (suspended != "0") {
      planning.leave(fmt::format("deferred interrupts of NAPI {}", i),
                     fmt::format("{} polls, {} ns", deferred, timeout),
                     "irq-suspend-timeout is set too: an application polls this NAPI");
      continue;
    }
    planning.warn(
        fmt::format("NAPI {} defers its interrupts ({} polls, {} ns) and nothing says "
                    "that somebody polls it: packets wait for that time",
                    i, deferred, timeout));
    const std::string why =
        "interrupts deferred without a poller delay every packet that comes "
        "alone";
    if (deferred != "0") planning.want({Kind::defer_hard_irqs, i}, "0", why);
    if (timeout != "0") planning.want({Kind::gro_flush_timeout, i}, "0", why);
  }
  planning.leave("defer-hard-irqs, gro-flush-timeout, irq-suspend-timeout", "0 where not named",
                 "they pay only with an application that polls by itself (epoll busy poll)");
}

void plan_queues(Planning& planning) {
  for (std::uint32_t queue = 0; queue < planning.device().receive_queues; ++queue) {
    const auto mask = planning.facts.value(Kind::rps, queue);
    if (!mask) continue;
    if (*mask == "0") {
      planning.leave(fmt::format("RPS of receive queue {}", queue), "0",
                     "it is off, as it should be");
    } else {
      planning.want({Kind::rps, queue}, "0",
                    "RPS hands packets from the NAPI thread back to the softirq of another CPU");
    }
  }
  for (std::size_t queue = 0; queue < planning.device().xps.size(); ++queue) {
    planning.leave(fmt::format("XPS of transmit queue {}", queue), planning.device().xps[queue],
                   "it moves what is sent; received packets do not wait for it");
  }
}

void plan_interrupts(Planning& planning) {
  for (std::uint32_t i = 0; i < planning.device().napis.size(); ++i) {
    const std::uint32_t irq = planning.device().napis[i].irq;
    if (irq == 0 || !planning.facts.value(Kind::irq_affinity, irq)) continue;
    planning.want({Kind::irq_affinity, irq}, std::to_string(planning.core_of(i)),
                  fmt::format("the interrupt of NAPI {} wakes its thread on the same CPU: 2 us "
                              "instead of 30 across CPUs",
                              i),
                  /*may_fail=*/true);
  }
}

void plan_power(Planning& planning) {
  std::vector<std::uint32_t> used;
  for (std::uint32_t i = 0; i < planning.napis(); ++i) {
    const std::uint32_t core = planning.core_of(i);
    if (std::ranges::find(used, core) == used.end()) used.push_back(core);
  }
  for (const std::uint32_t cpu : used) {
    if (planning.facts.value(Kind::governor, cpu)) {
      planning.want({Kind::governor, cpu}, "performance",
                    "a CPU that clocks down between packets is slow for the next one");
    } else {
      planning.leave(fmt::format("frequency governor of CPU {}", cpu), "none",
                     "this machine does not let its clock be chosen");
    }
    for (const IdleState& idle : planning.facts.machine.idle_states) {
      if (idle.cpu != cpu || !planning.facts.value(Kind::idle_state, cpu, idle.state)) continue;
      if (idle.latency_us > slow_to_wake_us) {
        planning.want(
            {Kind::idle_state, cpu, idle.state}, "1",
            fmt::format("{} takes {} us to wake from; costs power", idle.name, idle.latency_us));
      } else {
        planning.leave(fmt::format("idle state {} of CPU {}", idle.name, cpu),
                       fmt::format("{} us", idle.latency_us), "it is quick to wake from");
      }
    }
  }
}

void plan_sysctls(Planning& planning) {
  const MachineFacts& machine = planning.facts.machine;
  const bool polls =
      machine.busy_poll.value_or("0") != "0" || machine.busy_read.value_or("0") != "0";
  const std::string now = fmt::format("{}, {} us", machine.busy_poll.value_or("not here"),
                                      machine.busy_read.value_or("not here"));
  planning.leave("net.core.busy_poll, busy_read", now,
                 "they are for all sockets of the machine, and what they gain differs from NIC to "
                 "NIC: 25 % won on one model, 26 % lost on another");
  if (polls && planning.device().type == DeviceType::veth) {
    planning.warn(
        "busy poll is on (net.core.busy_poll, busy_read) and this is a veth, which has no "
        "device to poll: it only costs time here, set them to 0");
  }
}

void plan_machine(Planning& planning) {
  const MachineFacts& machine = planning.facts.machine;
  planning.leave("isolated CPUs", machine.isolated.empty() ? "none" : "some",
                 machine.isolated.empty()
                     ? "only the kernel's command line can isolate them (isolcpus=, nohz_full=)"
                     : "NAPI threads go there unless --core says otherwise");
  if (planning.wishes.policed) {
    planning.warn(
        "NAPI threads above the applications: under a flood of packets that nothing "
        "polices, the applications' 99th percentile was 20 to 40 ms");
  }
  if (machine.real_time_runtime_us == "-1") {
    planning.warn(
        "kernel.sched_rt_runtime_us is -1: nothing bounds a real-time thread that does "
        "not sleep, and kworkers of its CPU starve");
  }
  if (planning.wishes.busy_poll && machine.isolated.empty()) {
    planning.warn("no CPU is isolated: a thread that spins takes one whole CPU from everybody");
  }
  planning.warn(
      "an application gains only if it runs with a priority too: start it by `thalweg "
      "host run`");
}

}  // namespace

int napi_priority(const Wishes& wishes) noexcept {
  return wishes.policed ? wishes.priority + 1 : wishes.priority - 1;
}

Plan make_plan(const Facts& facts, const Wishes& wishes) {
  Planning planning{facts, wishes};
  planning.plan.device = facts.device.name;
  planning.plan.impossible = why_impossible(planning);
  if (!planning.plan.impossible.empty()) return planning.plan;
  if (facts.device.type == DeviceType::wireguard) {
    plan_wireguard(planning);
    return planning.plan;
  }
  plan_gro(planning);
  plan_threaded(planning);
  plan_threads(planning);
  plan_deferral(planning);
  plan_queues(planning);
  plan_interrupts(planning);
  plan_power(planning);
  plan_sysctls(planning);
  plan_machine(planning);
  return planning.plan;
}

}  // namespace tw::host
