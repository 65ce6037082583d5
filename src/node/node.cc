#include "node/node.h"

#include <net/if.h>
#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file/new_file.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "machine/journal.h"
#include "machine/port_holder.h"
#include "machine/privileges.h"
#include "node/config/config_secret.h"
#include "node/confine/system_calls.h"
#include "node/control/control_request.h"
#include "node/device/device_wanted.h"
#include "node/links/links_plan.h"
#include "node/node_parts.h"
#include "node/trim_heap.h"

namespace tw::node {
namespace {

sigset_t served_signals() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

/// Returns the sooner of two times that poll() may wait, in ms; negative: for ever.
int sooner(int left, int right) noexcept {
  if (left < 0 || right < 0) return std::max(left, right);
  return std::min(left, right);
}

std::string from_root(const std::string& path) {
  std::error_code ignored;
  const auto whole = std::filesystem::absolute(path, ignored);
  return ignored ? path : whole.lexically_normal().string();
}

}  // namespace

// ---- Start and end

Node::Node(const std::string& config_path)
    : config_file_(from_root(config_path)), started_(clock_.now()) {}

Node::~Node() {
  metrics_.reset();
  control_.reset();
  uapi_.reset();
  relay_.reset();
  if (links_) {
    if (const Result<void> down = links_->down(); !down) log::error("{}", down.error().text());
  }
}

Result<std::unique_ptr<Node>> Node::start(NodeConfig config, std::string config_path,
                                          FileBroker& files) {
  std::unique_ptr<Node> node{new Node(config_path)};
  Result<void> opened = node->open(packed(std::move(config)), std::move(config_path), files);
  if (!opened) return std::unexpected(opened.error());
  if (stop_is_asked()) return std::unique_ptr<Node>{};
  return node;
}

Result<void> Node::open(NodeConfig config, std::string config_path, FileBroker& files) {
  if (const auto missing = missing_prerequisites(config.relay.enabled); !missing.empty()) {
    std::string all;
    for (const std::string& sentence : missing) all += (all.empty() ? "" : "\n") + sentence;
    return make_error(Error::Kind::unavailable, all);
  }
  // Blocked before any thread starts, so that none of them takes a signal that is ours to serve.
  const sigset_t signals = served_signals();
  if (::pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) return system_error("pthread_sigmask");
  if (Result<std::uint64_t> raised = raise_file_limit(); !raised) {
    return std::unexpected(raised.error());
  }
  if (Result<void> opened = open_sockets(config); !opened) return opened;
  if (Result<void> helped = files.ready(); !helped) return helped;
  if (Result<void> given = give_up_power(config); !given) return given;
  if (stop_is_asked()) return {};
  Result<void> started = start_parts(std::move(config), std::move(config_path));
  if (!started) return started;
  log::write(confinement_.lacks.empty() ? log::Level::info : log::Level::warning,
             confinement_.text());
  return {};
}

Result<void> Node::open_sockets(const NodeConfig& config) {
  if (Result<void> opened = open_device(config); !opened) return opened;
  if (Result<void> made = make_private_folder(std::string{run_directory}); !made) return made;
  Result<std::unique_ptr<ControlServer>> control =
      ControlServer::listen(config.process.control_socket, clock_,
                            [this](std::string_view request) { return answer(request); });
  if (!control) return std::unexpected(control.error());
  control_ = std::move(*control);
  Result<std::unique_ptr<UapiServer>> uapi =
      UapiServer::open(config.tunnel.interface, *device_, clock_);
  if (!uapi) return std::unexpected(uapi.error());
  uapi_ = std::move(*uapi);
  // The relay's ports are taken before anything of the machine is changed.
  const auto own_mark = own_mark_base + static_cast<std::uint32_t>(device_->ifindex());
  relay_ = std::make_unique<RelayService>(*device_, clock_, own_mark);
  return relay_->prepare(config);
}

Result<void> Node::open_device(const NodeConfig& config) {
  DeviceSettings settings;
  settings.interface = config.tunnel.interface;
  settings.mtu = config.tunnel.mtu;
  settings.tuning = config.tunnel.tuning;
  settings.workers = config.workers;
  // Now, while we may look into other programs, and nothing has been changed.
  const std::uint16_t port = config.tunnel.listen_port;
  if (const auto holder = port == 0 ? std::nullopt : holder_of(Transport::udp, port)) {
    return port_in_use("tunnel.listen_port", port, *holder);
  }
  Result<std::unique_ptr<Device>> device = Device::open(settings);
  if (!device) {
    // The kernel's word for it is "busy" or "invalid", and does not say what to do.
    if (::if_nametoindex(settings.interface.c_str()) == 0) return std::unexpected(device.error());
    return make_error(Error::Kind::unavailable,
                      settings.interface +
                          " exists already: stop what made it (another node, or 'ip link del " +
                          settings.interface + "'), or choose another [tunnel] interface");
  }
  device_ = std::move(*device);
  return {};
}

// Before the first thread, which would keep what it was born with, and before the first packet.
Result<void> Node::give_up_power(const NodeConfig& config) {
  if (Result<void> dropped = drop_privileges(); !dropped) return dropped;
  std::vector<ReachRule> reach = common_reach();
  reach.push_back({std::string{run_directory}, Reach::keep});
  reach.push_back({uapi_folder, Reach::remove});
  reach.push_back({folder_of(config.process.control_socket), Reach::remove});
  Result<Confinement> confined = confine(reach);
  if (!confined) return std::unexpected(confined.error());
  confinement_ = std::move(*confined);
  return {};
}

// Once a stop is asked for, the rest is not begun: start() undoes what there is.
Result<void> Node::start_parts(NodeConfig config, std::string config_path) {
  if (Result<void> started = start_links(config); !started) return started;
  if (stop_is_asked()) return {};
  if (Result<void> started = start_tunnel(config); !started) return started;
  if (stop_is_asked()) return {};
  recall_.emplace(recalled_device(), clock_);
  recall_->recall(PeerMemory::of(std::string{run_directory}, device_->interface()), config);
  trim_heap();
  if (config.relay.enabled) {
    if (Result<void> started = relay_->start(config); !started) return started;
  }
  running_.emplace(std::move(config), std::move(config_path),
                   RunningConfig::Parts{.device = *device_,
                                        .applied = *applied_,
                                        .names = *names_,
                                        .links = *links_,
                                        .relay = *relay_},
                   mutex_);
  if (const auto& address = this->config().process.metrics) {
    Result<std::unique_ptr<MetricsServer>> metrics =
        MetricsServer::start(*address, [this] { return status(); }, scrapes_);
    if (!metrics) return std::unexpected(metrics.error());
    metrics_ = std::move(*metrics);
  }
  links_->started();
  // All else is up by now, and peers who can be asked for a session are asked meanwhile.
  names_->await([this] {
    take_resolved();
    tend_recall();
    return !stop_is_asked();
  });
  return {};
}

Result<void> Node::start_links(const NodeConfig& config) {
  // The firewall is part of the links: it stands before the first packet can come out of the TUN.
  Result<Links> links = Links::up(config, {.queue_length = device_->tun_queue_in_packets(),
                                           .leg_windows = relay_->opens_leg_windows()});
  if (!links) return std::unexpected(links.error());
  links_ = std::move(*links);
  machine_.emplace(*links_, *device_, clock_, mutex_);
  for (const std::string& warning : links_->warnings()) log::warning("{}", warning);
  // These are flows of a node before this one, or of the time without any.
  if (const Result<std::size_t> ended = end_refused_flows(*links_); !ended) {
    log::warning("flows that were established before may go on, though they are refused now: {}",
                 ended.error().text());
  }
  return {};
}

Result<void> Node::start_tunnel(const NodeConfig& config) {
  if (Result<void> started = device_->start(); !started) return started;
  auto names = EndpointNames::start(config.peers, clock_);
  if (!names) return std::unexpected(names.error());
  names_ = std::move(*names);
  applied_.emplace(*device_);
  if (Result<void> applied = applied_->apply(wanted_device(config, names_->known())); !applied) {
    return explain_port_in_use(std::move(applied.error()), config);
  }
  return {};
}

PeerRecall::Device Node::recalled_device() {
  return {
      .greet = [this](PeerRecall::Peers peers) { device_->greet(peers); },
      .recent_peers = [this](PeerRecall::Peers before) { return device_->recent_peers(before); },
      .traffic =
          [this] {
            std::uint64_t traffic = device_->changes();
            for (const lane::LaneCounters* const lane : device_->counters().lanes) {
              traffic += lane->from_wire.received.value();
            }
            return traffic;
          }};
}

// ---- The control thread

Result<void> Node::serve() {
  Result<void> served = serve_requests();
  recall_->remember(config().process.remember_peers);
  return served;
}

Result<void> Node::serve_requests() {
  const sigset_t signals = served_signals();
  UniqueFd signal_fd{::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!signal_fd) return system_error("signalfd");
  for (;;) {
    const std::array<int, 2> machine_fds = machine_->wait_fds();
    std::array<pollfd, 8> waits{{{signal_fd.get(), POLLIN, 0},
                                 {uapi_->wait_fd(), POLLIN, 0},
                                 {control_->wait_fd(), POLLIN, 0},
                                 {device_->gone_fd(), POLLIN, 0},
                                 {device_->unanswered_fd(), POLLIN, 0},
                                 {names_->wait_fd(), POLLIN, 0},
                                 {machine_fds[0], POLLIN, 0},
                                 {machine_fds[1], POLLIN, 0}}};
    const auto& [signalled, asked_by_wg, asked, gone, unanswered, resolved, nftables, devices] =
        waits;
    const int wait_ms =
        sooner(tend_recall(), sooner(names_->look_up_due(), machine_->foreign_wait_ms()));
    if (::poll(waits.data(), waits.size(), wait_ms) < 0 && errno != EINTR) {
      return system_error("poll");
    }
    if (nftables.revents != 0 || devices.revents != 0) attend_machine();
    machine_->report_foreign();
    if (asked_by_wg.revents != 0) attend_uapi();
    machine_->follow_tunnel();
    if (asked.revents != 0) control_->handle();
    if (gone.revents != 0 || !links_->has_tunnel()) {
      return make_error(
          Error::Kind::unavailable,
          device_->interface() +
              " was removed, or moved to another network namespace, where this node's "
              "firewall does not reach");
    }
    if (unanswered.revents != 0) names_->look_up_again(device_->take_unanswered());
    if (resolved.revents != 0) take_resolved();
    signalfd_siginfo signal{};
    if (::read(signal_fd.get(), &signal, sizeof signal) != sizeof signal) continue;
    if (handle_signal(static_cast<int>(signal.ssi_signo))) {
      drain(signal_fd.get());
      return {};
    }
  }
}

// Returns true if the node is to end.
bool Node::handle_signal(int signal) {
  if (signal != SIGHUP) return true;
  static_cast<void>(running_->reload(false));  // it has logged what nobody waits for here
  return false;
}

void Node::attend_machine() {
  machine_->attend();
  const std::lock_guard lock{mutex_};
  relay_->follow_client_devices(config());
}

void Node::attend_uapi() {
  uapi_->handle();
  const std::lock_guard lock{mutex_};
  relay_->follow_leg_keys(config());
}

void Node::take_resolved() {
  const auto moves = names_->take();
  if (moves.empty()) return;
  if (const Result<void> moved = applied_->move(moves, config().peers); !moved) {
    log::error("endpoints: {}", moved.error().text());
  }
}

int Node::tend_recall() { return recall_->tend(config().process.remember_peers); }

std::string Node::answer(std::string_view request) {
  if (!running_) return control_error("the node is still starting");
  return answer_control(
      request, {.status = [this] { return status(); },
                .reload = [this](bool dry_run) { return running_->reload(dry_run); },
                .set = [this](std::string_view key,
                              std::string_view value) { return running_->set(key, value); },
                .identify = [this] { return identity(); },
                .drain =
                    [this] {
                      const std::lock_guard lock{mutex_};
                      return relay_->drain_by_hand(config());
                    }});
}

NodeIdentity Node::identity() {
  const std::lock_guard lock{mutex_};
  return {.config_file = config_file_,
          .interface = config().tunnel.interface,
          .listen_port = device_->listen_port()};
}

NodeStatus Node::status() {
  const std::lock_guard lock{mutex_};
  NodeStatus status = device_status(*device_, config());
  status.version = TW_VERSION;
  status.confinement = confinement_;
  status.refused_calls = refused_calls();
  status.uptime_s =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - started_).count();
  if (const Result<std::uint64_t> dropped = links_->tx_dropped()) {
    status.kernel_drops_tun = *dropped;
  }
  if (auto refused = links_->refused()) status.firewall = *std::move(refused);
  status.reloads = running_->reloads();
  if (config().process.metrics) status.scrapes = scrapes_;
  if (config().relay.enabled) {
    status.relay = relay_->snapshot();
    if (status.relay) status.syn_watches = relay_->syn_watches();
  }
  return status;
}

void Node::drain(int signal_fd) {
  relay_->drain();
  const Instant deadline = clock_.now() + drain_timeout;
  std::uint64_t active = relay_->active_connections();
  if (active > 0)
    log::info("draining: {} relayed connections, at most {} s", active, drain_timeout.count());
  while (active > 0 && clock_.now() < deadline) {
    pollfd again{signal_fd, POLLIN, 0};
    signalfd_siginfo signal{};
    if (::poll(&again, 1, 50) > 0 && ::read(signal_fd, &signal, sizeof signal) == sizeof signal &&
        signal.ssi_signo != static_cast<std::uint32_t>(SIGHUP)) {
      break;
    }
    active = relay_->active_connections();
  }
  if (active > 0) log::info("draining: {} relayed connections are reset", active);
}

}  // namespace tw::node
