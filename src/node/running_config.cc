#include "node/running_config.h"

#include <algorithm>
#include <utility>

#include "base/file/new_file.h"
#include "base/log.h"
#include "crypto/stack.h"
#include "node/config/config_changes.h"
#include "node/config/config_setting.h"
#include "node/config/keys/key_list.h"
#include "node/device/device_wanted.h"
#include "node/node_parts.h"
#include "node/trim_heap.h"

namespace tw::node {
namespace {

/// Fails if a connection log is asked for that this process may not open: the relay would go on
/// with the one before, and nobody would be told.
Result<void> check_log_file(const NodeConfig& now, const NodeConfig& next) {
  const std::string& file = next.relay.log.file;
  if (file.empty() || file == now.relay.log.file || open_to_append(file)) return {};
  return make_error(Error::Kind::config,
                    "relay.log.file: a running node opens no file but those that its configuration "
                    "file names — write it there and reload");
}

}  // namespace

Result<std::size_t> end_refused_flows(Links& links) {
  Result<std::size_t> ended = links.end_refused_flows();
  if (ended && *ended > 0) {
    log::info("{} established flows are ended: they are refused now", *ended);
  }
  return ended;
}

RunningConfig::RunningConfig(NodeConfig config, std::string path, Parts parts, std::mutex& lock)
    : config_(std::move(config)), path_(std::move(path)), parts_(parts), lock_(lock) {
  reloads_.in_force_since_s = unix_now_s();
}

ReloadReport RunningConfig::reload(bool dry_run) {
  ReloadReport report;
  report.file = path_;
  report.dry_run = dry_run;
  const Result<void> reloaded = reload_into(report);
  if (!reloaded) report.error = reloaded.error().text();
  if (dry_run) return report;
  if (!reloaded) log::error("reload: {}", report.error);
  const std::lock_guard lock{lock_};
  reloads_.succeeded = reloaded.has_value();
  if (reloaded) reloads_.in_force_since_s = unix_now_s();
  return report;
}

Result<void> RunningConfig::reload_into(ReloadReport& report) {
  auto next = load_config(path_);
  if (!next) {
    for (const ConfigMistake& mistake : next.error()) {
      if (!report.dry_run) log::error("{}", mistake.text());
      report.mistakes.push_back(mistake.text());
    }
    return make_error(Error::Kind::config, path_ + " has mistakes; nothing was changed");
  }
  report.changes = config_changes(config_, *next);
  if (const std::string key = needs_restart(config_, *next); !key.empty()) {
    return make_error(Error::Kind::config,
                      key +
                          " cannot change while the node runs; nothing was changed. Restart it, "
                          "or put the old value back");
  }
  report.forgotten = set_by_hand_;
  report.took_up_relay = parts_.relay.would_resume(*next);
  Result<void> applied;
  if (!report.dry_run) {
    const std::uint64_t reset_before = parts_.relay.connections_reset();
    applied = apply(packed(std::move(*next)), report);
    report.connections_reset = parts_.relay.connections_reset() - reset_before;
  }
  crypto::wipe_stack();  // the old key's copies, and the new one's
  trim_heap();
  return applied;
}

// The relay's new ports are opened first, and the tunnel is told next: until then a failure leaves
// all as it was.
Result<void> RunningConfig::apply(NodeConfig next, ReloadReport& report) {
  const std::lock_guard lock{lock_};
  auto doors = parts_.relay.open_doors(next);
  if (!doors) return std::unexpected(doors.error());
  if (Result<void> applied = apply_tunnel(next); !applied) return applied;
  Result<void> relayed = parts_.relay.apply(next, *std::move(doors));
  config_ = std::move(next);
  set_by_hand_.clear();
  const Result<std::size_t> ended = end_refused_flows(parts_.links);
  report.flows_ended = ended.value_or(0);
  // The tunnel has its new configuration and works.
  if (!relayed) {
    return in_context("the tunnel is reloaded, but the relay is not", std::move(relayed.error()));
  }
  if (!ended) {
    return in_context("reloaded, but established flows that are refused now may go on",
                      ended.error());
  }
  log::info("{}: reloaded", path_);
  return {};
}

Result<void> RunningConfig::apply_tunnel(const NodeConfig& next) {
  NamedEndpoints named = parts_.names.known_with(next.peers);
  if (Result<void> applied = parts_.links.apply(next); !applied) return applied;
  for (const std::string& warning : parts_.links.warnings()) log::warning("{}", warning);
  if (Result<void> applied = parts_.applied.apply(wanted_device(next, named)); !applied) {
    if (const Result<void> back = parts_.links.apply(config_); !back) {
      log::error("{}", back.error().text());
    }
    return explain_port_in_use(std::move(applied.error()), next);
  }
  parts_.device.set_dscp(next.tunnel.tuning.dscp);
  parts_.names.adopt(std::move(named));
  return {};
}

Result<void> RunningConfig::set(std::string_view key, std::string_view value) {
  const std::unique_lock lock{lock_};
  auto next = with_setting(config_, key, value);
  if (!next) return make_error(Error::Kind::config, next.error().text());
  if (Result<void> named = check_log_file(config_, *next); !named) return named;
  if (parts_.relay.is_drained() && config_.relay.enabled) {
    return make_error(Error::Kind::config, "the relay is drained; reload first");
  }
  if (Result<void> applied = parts_.links.apply(*next); !applied) return applied;
  if (Result<void> applied = parts_.relay.apply(*next); !applied) {
    if (const Result<void> back = parts_.links.apply(config_); !back) {
      log::error("{}", back.error().text());
    }
    return applied;
  }
  config_ = std::move(*next);
  if (std::ranges::find(set_by_hand_, key) == set_by_hand_.end()) set_by_hand_.emplace_back(key);
  log::info("set by hand: {} = {}", key, value);
  return {};
}

}  // namespace tw::node
