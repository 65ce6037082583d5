// The part of Node that takes over its file while it runs.
#include <chrono>
#include <utility>

#include "base/log.h"
#include "crypto/stack.h"
#include "node/config/config_changes.h"
#include "node/config/keys/key_list.h"
#include "node/device/device_wanted.h"
#include "node/node.h"
#include "node/node_parts.h"
#include "node/trim_heap.h"

namespace tw::node {

ReloadReport Node::reload(bool dry_run) {
  ReloadReport report;
  report.file = config_path_;
  report.dry_run = dry_run;
  const Result<void> reloaded = reload_into(report);
  if (!reloaded) report.error = reloaded.error().text();
  if (dry_run) return report;
  if (!reloaded) log::error("reload: {}", report.error);
  const std::lock_guard lock{mutex_};
  reloads_.succeeded = reloaded.has_value();
  if (reloaded) reloads_.in_force_since_s = unix_now_s();
  return report;
}

Result<void> Node::reload_into(ReloadReport& report) {
  auto next = load_config(config_path_);
  if (!next) {
    for (const ConfigMistake& mistake : next.error()) {
      if (!report.dry_run) log::error("{}", mistake.text());
      report.mistakes.push_back(mistake.text());
    }
    return make_error(Error::Kind::config, config_path_ + " has mistakes; nothing was changed");
  }
  report.changes = config_changes(config_, *next);
  if (const std::string key = needs_restart(config_, *next); !key.empty()) {
    return make_error(Error::Kind::config,
                      key +
                          " cannot change while the node runs; nothing was changed. Restart it, "
                          "or put the old value back");
  }
  report.forgotten = set_by_hand_;
  report.took_up_relay = drained_ && relay_ && next->relay.enabled;
  Result<void> applied;
  if (!report.dry_run) {
    ended_ = {};
    applied = apply(packed(std::move(*next)));
    report.connections_reset = ended_.connections;
    report.flows_ended = ended_.flows;
  }
  crypto::wipe_stack();  // the old key's copies, and the new one's
  trim_heap();
  return applied;
}

Result<void> Node::apply(NodeConfig next) {
  NamedEndpoints named = named_;
  named.configure(next.peers);
  const std::lock_guard lock{mutex_};
  const NodeConfig old = config_;
  auto doors = open_next_doors(next);
  if (!doors) return std::unexpected(doors.error());
  if (Result<void> applied = links_->apply(next); !applied) return applied;
  for (const std::string& warning : links_->warnings()) log::warning("{}", warning);
  if (Result<void> applied = apply_device(wanted_device(next, named)); !applied) {
    if (const Result<void> back = links_->apply(old); !back) log::error("{}", back.error().text());
    return explain_port_in_use(std::move(applied.error()), next);
  }
  device_->set_dscp(next.tunnel.tuning.dscp);
  named_ = std::move(named);
  // In the background: what changes is taken over when the answer comes.
  for (const EndpointName& name : named_.names()) resolver_->ask(name);
  Result<void> relayed = apply_relay(next, *std::move(doors));
  config_ = std::move(next);
  set_by_hand_.clear();
  const Result<void> revoked = end_refused_flows();
  // The tunnel has its new configuration and works.
  if (!relayed) {
    return in_context("the tunnel is reloaded, but the relay is not", std::move(relayed.error()));
  }
  if (!revoked) {
    return in_context("reloaded, but established flows that are refused now may go on",
                      revoked.error());
  }
  log::info("{}: reloaded", config_path_);
  return {};
}

// The firewall lets through what is established, under whatever policy that began.
Result<void> Node::end_refused_flows() {
  const Result<std::size_t> ended = links_->end_refused_flows();
  if (!ended) return std::unexpected(ended.error());
  ended_.flows += *ended;
  if (*ended > 0) log::info("{} established flows are ended: they are refused now", *ended);
  return {};
}

}  // namespace tw::node
