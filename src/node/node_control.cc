// The part of Node that answers: status, what is changed by hand, and winding down.
#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file/new_file.h"
#include "base/log.h"
#include "node/config/config_setting.h"
#include "node/confine/system_calls.h"
#include "node/control/control_request.h"
#include "node/node.h"
#include "node/node_parts.h"

namespace tw::node {
namespace {

std::string answer_json(const Result<void>& done) {
  return done ? R"({"ok":true})" : control_error(done.error().text());
}

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

NodeStatus Node::status() {
  const std::lock_guard lock{mutex_};
  NodeStatus status = device_status(*device_, config_);
  status.version = TW_VERSION;
  status.confinement = confinement_;
  status.refused_calls = refused_calls();
  status.uptime_s =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - started_).count();
  if (const Result<std::uint64_t> dropped = links_->tx_dropped()) {
    status.kernel_drops_tun = *dropped;
  }
  if (auto refused = links_->refused()) status.firewall = *std::move(refused);
  status.reloads = reloads_;
  if (config_.process.metrics) status.scrapes = scrapes_;
  if (relay_ && config_.relay.enabled) {
    relay_worker_->call([&]() noexcept { status.relay = relay_->snapshot(); });
    status.syn_watches = syn_watches_.status();
  }
  return status;
}

// What a person may change by hand lasts until the file is read again.
Result<void> Node::set(std::string_view key, std::string_view value) {
  const std::unique_lock lock{mutex_};
  auto next = with_setting(config_, key, value);
  if (!next) return make_error(Error::Kind::config, next.error().text());
  if (Result<void> named = check_log_file(config_, *next); !named) return named;
  if (drained_ && config_.relay.enabled)
    return make_error(Error::Kind::config, "the relay is drained; reload first");
  if (Result<void> applied = links_->apply(*next); !applied) return applied;
  if (Result<void> applied = apply_relay(*next); !applied) {
    if (const Result<void> back = links_->apply(config_); !back) {
      log::error("{}", back.error().text());
    }
    return applied;
  }
  config_ = std::move(*next);
  if (std::ranges::find(set_by_hand_, key) == set_by_hand_.end()) set_by_hand_.emplace_back(key);
  log::info("set by hand: {} = {}", key, value);
  return {};
}

Result<std::uint64_t> Node::drain_relay() {
  const std::unique_lock lock{mutex_};
  if (!relay_ || !config_.relay.enabled) {
    return make_error(Error::Kind::config, "this node has no relay");
  }
  if (!std::exchange(drained_, true)) log::info("draining by hand: no new connections");
  relay_worker_->call([this]() noexcept { relay_->drain(clock_.now()); });
  return active_connections();
}

std::string Node::answer(std::string_view request) {
  const auto asked = ControlRequest::parse(request);
  if (!asked) return control_error(asked.error());
  if (!links_) return control_error("the node is still starting");
  using enum ControlRequest::Command;
  switch (asked->command) {
    case status:
      return to_json(this->status());
    case reload:
      return to_json(this->reload(asked->dry_run));
    case set:
      return answer_json(this->set(asked->key, asked->value));
    case drain:
      break;
    case identify:
      return identity();
  }
  const Result<std::uint64_t> active = drain_relay();
  if (!active) return control_error(active.error().text());
  return nlohmann::json{{"ok", true}, {"active", *active}}.dump();
}

std::string Node::identity() {
  const std::lock_guard lock{mutex_};
  return nlohmann::json{{"ok", true},
                        {"config_file", config_file_},
                        {"interface", config_.tunnel.interface},
                        {"listen_port", device_->listen_port()}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::uint64_t Node::active_connections() {
  std::uint64_t active = 0;
  if (relay_) relay_worker_->call([&]() noexcept { active = relay_->snapshot().active; });
  return active;
}

void Node::drain(int signal_fd) {
  if (!relay_) return;
  relay_worker_->call([this]() noexcept { relay_->drain(clock_.now()); });
  const Instant deadline = clock_.now() + drain_timeout;
  std::uint64_t active = active_connections();
  if (active > 0)
    log::info("draining: {} relayed connections, at most {} s", active, drain_timeout.count());
  while (active > 0 && clock_.now() < deadline) {
    pollfd again{signal_fd, POLLIN, 0};
    signalfd_siginfo signal{};
    if (::poll(&again, 1, 50) > 0 && ::read(signal_fd, &signal, sizeof signal) == sizeof signal &&
        signal.ssi_signo != static_cast<std::uint32_t>(SIGHUP)) {
      break;
    }
    active = active_connections();
  }
  if (active > 0) log::info("draining: {} relayed connections are reset", active);
}

}  // namespace tw::node
