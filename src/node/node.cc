#include "node/node.h"

#include <net/if.h>
#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/file/new_file.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "crypto/stack.h"
#include "machine/journal.h"
#include "machine/port_holder.h"
#include "machine/privileges.h"
#include "node/config/config_secret.h"
#include "node/context_ids.h"
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

Node::Node(NodeConfig config, std::string config_path)
    : config_(std::move(config)),
      config_path_(std::move(config_path)),
      config_file_(from_root(config_path_)),
      started_(clock_.now()) {
  reloads_.in_force_since_s = unix_now_s();
}

Node::~Node() {
  metrics_.reset();
  control_.reset();
  uapi_.reset();
  stop_relay();
  if (links_) {
    if (const Result<void> down = links_->down(); !down) log::error("{}", down.error().text());
  }
}

Result<std::unique_ptr<Node>> Node::start(NodeConfig config, std::string config_path,
                                          FileBroker& files) {
  std::unique_ptr<Node> node{new Node(packed(std::move(config)), std::move(config_path))};
  if (Result<void> opened = node->open(files); !opened) return std::unexpected(opened.error());
  if (stop_is_asked()) return std::unique_ptr<Node>{};
  return node;
}

Result<void> Node::open(FileBroker& files) {
  if (const auto missing = missing_prerequisites(config_.relay.enabled); !missing.empty()) {
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
  if (Result<void> opened = open_sockets(); !opened) return opened;
  if (Result<void> helped = files.ready(); !helped) return helped;
  if (Result<void> given = give_up_power(); !given) return given;
  if (stop_is_asked()) return {};
  if (Result<void> started = start_parts(); !started) return started;
  log::write(confinement_.lacks.empty() ? log::Level::info : log::Level::warning,
             confinement_.text());
  return {};
}

// Before the first thread, which would keep what it was born with, and before the first packet.
Result<void> Node::give_up_power() {
  if (Result<void> dropped = drop_privileges(); !dropped) return dropped;
  std::vector<ReachRule> reach = common_reach();
  reach.push_back({std::string{run_directory}, Reach::keep});
  reach.push_back({uapi_folder, Reach::remove});
  reach.push_back({folder_of(config_.process.control_socket), Reach::remove});
  Result<Confinement> confined = confine(reach);
  if (!confined) return std::unexpected(confined.error());
  confinement_ = std::move(*confined);
  return {};
}

Result<void> Node::open_sockets() {
  DeviceSettings settings;
  settings.interface = config_.tunnel.interface;
  settings.mtu = config_.tunnel.mtu;
  settings.tuning = config_.tunnel.tuning;
  settings.workers = config_.workers;
  // Now, while we may look into other programs, and nothing has been changed.
  const std::uint16_t port = config_.tunnel.listen_port;
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
  if (Result<void> made = make_private_folder(std::string{run_directory}); !made) return made;
  Result<std::unique_ptr<ControlServer>> control =
      ControlServer::listen(config_.process.control_socket, clock_,
                            [this](std::string_view request) { return answer(request); });
  if (!control) return std::unexpected(control.error());
  control_ = std::move(*control);
  Result<std::unique_ptr<UapiServer>> uapi =
      UapiServer::open(config_.tunnel.interface, *device_, clock_);
  if (!uapi) return std::unexpected(uapi.error());
  uapi_ = std::move(*uapi);
  // Without a relay as well: a reload may switch one on, when there is no right left to load it.
  window_opener_.prepare();
  if (config_.relay.enabled) {
    // Before anything of the machine is changed; what comes before the relay is there waits for it.
    auto doors = relay::open_doors(door_settings(config_));
    if (!doors) return explain_port_in_use(std::move(doors.error()), config_);
    doors_ = *std::move(doors);
  }
  return {};
}

// Once a stop is asked for, the rest is not begun: start() undoes what there is.
Result<void> Node::start_parts() {
  // The firewall is part of the links: it stands before the first packet can come out of the TUN.
  Result<Links> links = Links::up(config_, {.queue_length = device_->tun_queue_in_packets(),
                                            .leg_windows = window_opener_.is_ready()});
  if (!links) return std::unexpected(links.error());
  links_ = std::move(*links);
  for (const std::string& warning : links_->warnings()) log::warning("{}", warning);
  // These are flows of a node before this one, or of the time without any.
  if (const Result<void> ended = end_refused_flows(); !ended) {
    log::warning("flows that were established before may go on, though they are refused now: {}",
                 ended.error().text());
  }
  if (stop_is_asked()) return {};
  if (Result<void> started = device_->start(); !started) return started;
  if (Result<void> started = start_resolver(); !started) return started;
  if (Result<void> applied = apply_device(wanted_device(config_, named_)); !applied) {
    return explain_port_in_use(std::move(applied.error()), config_);
  }
  if (stop_is_asked()) return {};
  recall_peers();
  trim_heap();
  if (config_.relay.enabled) {
    if (Result<void> started = start_relay(); !started) return started;
  }
  if (config_.process.metrics) {
    Result<std::unique_ptr<MetricsServer>> metrics =
        MetricsServer::start(*config_.process.metrics, [this] { return status(); }, scrapes_);
    if (!metrics) return std::unexpected(metrics.error());
    metrics_ = std::move(*metrics);
  }
  links_->started();
  await_names();
  return {};
}

// ---- The relay

Result<void> Node::start_relay() {
  Result<void> started = start_relay_parts();
  if (!started) stop_relay();
  return started;
}

Result<void> Node::start_relay_parts() {
  Result<std::unique_ptr<TunnelSyns>> syns = TunnelSyns::open(*device_);
  if (!syns) return std::unexpected(syns.error());
  tunnel_syns_ = std::move(*syns);
  relay::RelaySettings wanted = wanted_relay(config_);
  syn_watches_.open(wanted);
  wanted.resumer = window_opener_.apply(wanted);
  Result<std::unique_ptr<relay::Relay>> relay =
      relay::Relay::create(std::move(wanted), syn_sources(), std::exchange(doors_, {}));
  if (!relay) return std::unexpected(relay.error());
  (*relay)->answer_syns(tunnel_syns_->answers());
  WorkerSettings settings;
  settings.id = relay_context;
  settings.name = "relay";
  Result<std::unique_ptr<Worker>> worker = Worker::create(std::move(settings), clock_);
  if (!worker) return std::unexpected(worker.error());
  (*worker)->attach(**relay);
  if (Result<void> started = (*worker)->start(); !started) return started;
  relay_ = std::move(*relay);
  relay_worker_ = std::move(*worker);
  tunnel_syns_->report(*device_);
  device_->hold_syns(config_.relay.accept == relay::Accept::verified);
  return {};
}

void Node::stop_relay() noexcept {
  if (tunnel_syns_) device_->report_syns({});
  if (relay_worker_) relay_worker_->stop();
  relay_worker_.reset();
  relay_.reset();
  syn_watches_.close();
  window_opener_.close();
  tunnel_syns_.reset();
}

std::vector<relay::SynSource*> Node::syn_sources() const {
  std::vector<relay::SynSource*> sources = tunnel_syns_->sources();
  std::ranges::copy(syn_watches_.sources(), std::back_inserter(sources));
  return sources;
}

// The links have the mark, but listeners are there before them.
relay::RelaySettings Node::door_settings(const NodeConfig& config) const {
  relay::RelaySettings settings = relay_settings(config);
  settings.own_mark = links_ ? links_->own_mark()
                             : own_mark_base + ::if_nametoindex(config.tunnel.interface.c_str());
  return settings;
}

relay::RelaySettings Node::wanted_relay(const NodeConfig& config) {
  relay::RelaySettings settings = door_settings(config);
  leg_identities_ = leg_identities(config, *device_);
  set_leg_keys(settings, leg_identities_);
  return settings;
}

// Follows keys that somebody has set by UAPI: the tunnel's present keys prove legs.
void Node::follow_leg_keys() {
  const std::lock_guard lock{mutex_};
  if (!relay_ || drained_ || leg_identities(config_, *device_) == leg_identities_) return;
  if (const Result<void> told = tell_relay(config_); !told) log::error("{}", told.error().text());
}

// What is watched anew is opened before the relay is told, and what is not any more, closed after.
Result<void> Node::tell_relay(const NodeConfig& config, std::vector<relay::OpenDoor> doors) {
  relay::RelaySettings settings = wanted_relay(config);
  std::size_t revoked = 0;
  Result<void> taken;
  const bool watch = settings.early_syn.enabled;
  if (!doors.empty() && syn_watches_.is_open()) {
    // The devices may be others now.
    relay_worker_->call(
        [&]() noexcept { taken = relay_->take_syns_from(tunnel_syns_->sources()); });
    syn_watches_.close();
  }
  if (watch && !syn_watches_.is_open()) syn_watches_.open(settings);
  syn_watches_.set_budget(settings.early_syn);
  settings.resumer = window_opener_.apply(settings);
  std::vector<relay::SynSource*> sources = syn_sources();
  if (!watch) sources = tunnel_syns_->sources();
  const bool told = relay_worker_->call([&]() noexcept {
    if (drained_) relay_->resume();
    revoked = relay_->apply(std::move(settings), std::move(doors));
    taken = relay_->take_syns_from(std::move(sources));
  });
  if (!told) return make_error(Error::Kind::exhausted, "the relay does not take messages");
  if (!watch) syn_watches_.close();
  ended_.connections += revoked;
  if (revoked > 0) log::info("relay: {} connections are reset: they are refused now", revoked);
  return taken;
}

Result<void> Node::apply_device(WantedDevice wanted) {
  const Result<DeviceState> state = device_->state();
  if (!state) return std::unexpected(state.error());
  if (Result<void> applied = device_->apply(difference(*state, wanted_, wanted)); !applied) {
    return applied;
  }
  wanted_ = std::move(wanted);
  return {};
}

// Opens the doors that the next configuration has and this one has not, before anything else is
// changed, so that a port that somebody has leaves all as it was.
Result<std::vector<relay::OpenDoor>> Node::open_next_doors(const NodeConfig& next) {
  if (!next.relay.enabled) return {};
  std::vector<relay::DoorPlan> open;
  if (relay_) relay_worker_->call([&]() noexcept { open = relay_->doors(); });
  auto doors = relay::open_doors(door_settings(next), open);
  if (!doors) return explain_port_in_use(std::move(doors.error()), next);
  return doors;
}

// A relay that is not wanted any more refuses: what it left, any user of this machine could take.
Result<void> Node::apply_relay(const NodeConfig& next, std::vector<relay::OpenDoor> doors) {
  if (relay_ && !next.relay.enabled) {
    device_->report_syns({});
    Result<void> taken;
    relay_worker_->call([&]() noexcept {
      ended_.connections += relay_->snapshot().active;
      relay_->refuse_all(clock_.now());
      taken = relay_->take_syns_from(tunnel_syns_->sources());
    });
    syn_watches_.close();
    drained_ = true;
    return taken;
  }
  if (!next.relay.enabled) return {};
  if (!relay_) {
    doors_ = std::move(doors);
    config_ = next;
    return start_relay();
  }
  if (Result<void> told = tell_relay(next, std::move(doors)); !told) return told;
  if (std::exchange(drained_, false)) tunnel_syns_->report(*device_);
  device_->hold_syns(next.relay.accept == relay::Accept::verified);
  return {};
}

// ---- The control thread

Result<void> Node::serve() {
  Result<void> served = serve_requests();
  remember_peers();
  return served;
}

Result<void> Node::serve_requests() {
  const sigset_t signals = served_signals();
  UniqueFd signal_fd{::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!signal_fd) return system_error("signalfd");
  for (;;) {
    const std::array<int, 2> machine = links_->wait_fds();
    std::array<pollfd, 8> waits{{{signal_fd.get(), POLLIN, 0},
                                 {uapi_->wait_fd(), POLLIN, 0},
                                 {control_->wait_fd(), POLLIN, 0},
                                 {device_->gone_fd(), POLLIN, 0},
                                 {device_->unanswered_fd(), POLLIN, 0},
                                 {resolver_->wait_fd(), POLLIN, 0},
                                 {machine[0], POLLIN, 0},
                                 {machine[1], POLLIN, 0}}};
    const int wait_ms = sooner(tend_memory(), sooner(ask_for_unresolved(), foreign_wait_ms()));
    if (::poll(waits.data(), waits.size(), wait_ms) < 0 && errno != EINTR) {
      return system_error("poll");
    }
    if (waits[6].revents != 0 || waits[7].revents != 0) attend_machine();
    report_foreign();
    if (waits[1].revents != 0) {
      uapi_->handle();
      follow_leg_keys();
    }
    follow_tunnel();
    if (waits[2].revents != 0) control_->handle();
    if (waits[3].revents != 0 || !links_->has_tunnel()) {
      return make_error(
          Error::Kind::unavailable,
          config_.tunnel.interface +
              " was removed, or moved to another network namespace, where this node's "
              "firewall does not reach");
    }
    if (waits[4].revents != 0) ask_for_unanswered();
    if (waits[5].revents != 0) take_resolved();
    signalfd_siginfo signal{};
    if (::read(signal_fd.get(), &signal, sizeof signal) != sizeof signal) continue;
    if (handle_signal(static_cast<int>(signal.ssi_signo))) {
      drain(signal_fd.get());
      return {};
    }
  }
}

bool Node::handle_signal(int signal) {
  if (signal != SIGHUP) return true;
  static_cast<void>(reload(false));  // it has logged what nobody waits for here
  return false;
}

}  // namespace tw::node
