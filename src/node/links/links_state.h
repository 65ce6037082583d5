// The state of Links, whose parts are links.cc and links_attend.cc. Nobody else includes this.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/links/device_watch.h"
#include "node/links/links.h"
#include "node/links/links_plan.h"

namespace tw::node {

struct Links::State {
  Netlink netlink;
  Journal journal;
  Firewall firewall;
  DeviceWatch devices;
  std::string device;
  std::uint32_t link_index = 0;
  LeftToOthers left{};
  NodeConfig config{};  // in force
  Surroundings around{};
  bool inherited_floor = false;  // a dead node's, and we are not up yet

  NetworkPlan in_force{};  // the plan that was reached last
  // Our changes that the machine has. Each part is changed right after the machine was.
  NetworkPlan made{};
  bool filtered = false;
  std::set<Family> uncertain{};  // whose routes may have gone with an address
  bool is_up = false;

  ~State() { static_cast<void>(take_down()); }

  Result<void> set_firewall(const NetworkPlan& target);
  bool opened(std::string_view forwarding_key) const;
  std::vector<std::string> forwarded_before() const;
  std::vector<std::pair<std::string, std::string>> forwarding_changes(bool v4, bool v6) const;
  Result<bool> restore_name();
  Result<void> remove_routes(const NetworkPlan& target);
  Result<void> remove_addresses(const NetworkPlan& target);
  Result<void> remove_journalled(const NetworkPlan& target);
  Result<void> set_link(const NetworkPlan& target);
  Result<void> add_addresses(const NetworkPlan& target);
  Result<void> bring_up(const NetworkPlan& target);
  Result<void> await_addresses(const NetworkPlan& target);
  Result<void> set_routes(const NetworkPlan& target);
  Result<void> set_policy_routing(const NetworkPlan& target);
  Result<void> set_forwarding(const NetworkPlan& target);
  Result<void> set_fast_open(const NetworkPlan& target);
  Result<void> move_to(const NetworkPlan& target);
  Result<void> take_down();

  NetworkPlan plan(const NodeConfig& next) const {
    NetworkPlan wanted = plan_network(next, link_index, around);
    if (left.queue_length) wanted.tx_queue_packets = 0;
    if (left.leg_windows && next.relay.turbo.pacing) {
      for (auto& [prefix, metrics] : wanted.routes) metrics.initcwnd = 0;
    }
    return wanted;
  }

  bool stands(const Change& change) const {
    return std::ranges::any_of(journal.entries(), [&change](const Journal::Entry& entry) {
      return entry.change == change;
    });
  }

  // Journalled, then made; on failure neither.
  template <typename Make>
  Result<void> make_journalled(const Change& change, Make make_it) {
    auto id = journal.record(change);
    if (!id) return std::unexpected(id.error());
    auto made_it = make_it();
    if (made_it) return {};
    static_cast<void>(journal.strike(*id));  // at worst undone once more at the next start
    return made_it;
  }
};

}  // namespace tw::node
