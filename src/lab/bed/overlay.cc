#include "lab/bed/overlay.h"

#include <fmt/format.h>
#include <unistd.h>

#include "lab/bed/netns.h"
#include "lab/bed/udp_buffers.h"

namespace tw::lab {
namespace {

Result<std::string> write_key(const ScratchFolder& scratch, const std::string& name,
                              const Identity& identity) {
  std::string text = crypto::key_to_base64(identity.private_key.view()) + "\n";
  auto path = scratch.write(name, text);
  crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return path;
}

constexpr int first_congestion_table = 7700;
// The buffer of wireguard-go since 2023; Debian 12's is older and keeps the system's 208 KB.
// Here it shares two CPUs with every other host: while it waits for one, that overflows, and the
// client's link loses what no link has lost.
constexpr std::size_t client_buffer_bytes = 7U << 20U;

std::string control_socket(const std::string& device) {
  return "/var/run/wireguard/" + device + ".sock";
}

}  // namespace

std::string last_lines(const std::string& text, std::size_t count) {
  std::size_t begin = text.size();
  while (begin > 0 && text[begin - 1] == '\n') --begin;
  const std::size_t end = begin;
  for (; begin > 0; --begin) {
    if (text[begin - 1] == '\n' && --count == 0) break;
  }
  return text.substr(begin, end - begin);
}

Result<Overlay> Overlay::start(const Topology& topology, const OverlayShape& shape,
                               const ScratchFolder& scratch, Interrupt& interrupt) {
  PopPair pair;
  pair.shape = shape;
  pair.folder = scratch.path().string();
  pair.client_device = fmt::format("{}c{}", device_prefix(), shape.nth);
  pair.rc_device = fmt::format("{}r{}", device_prefix(), shape.nth);
  pair.rs_device = fmt::format("{}s{}", device_prefix(), shape.nth);
  Overlay overlay{std::move(pair)};
  const PopPair& made = overlay.pair_;
  auto done = overlay.start_pop(topology.rs(), made.rs_name(), rs_config(made), made.rs, scratch);
  if (done) {
    done = overlay.start_pop(topology.rc(), made.rc_name(), rc_config(made), made.rc, scratch);
  }
  if (done) done = overlay.start_client(topology.client(), scratch, interrupt);
  if (done) done = overlay.set_pop_congestion(topology.rc(), interrupt);
  if (!done) return std::unexpected(done.error());
  return overlay;
}

Overlay::~Overlay() {
  while (!processes_.empty()) processes_.pop_back();
}

Result<void> Overlay::start_pop(const Namespace& host, const std::string& name,
                                const std::string& config, const Identity& identity,
                                const ScratchFolder& scratch) {
  if (auto key = write_key(scratch, name + ".key", identity); !key) {
    return std::unexpected(key.error());
  }
  auto file = scratch.write(name + ".toml", config);
  if (!file) return std::unexpected(file.error());
  auto process = Process::start({.argv = {"/proc/self/exe", "run", "-c", *file},
                                 .netns_fd = host.fd(),
                                 .death_signal = SIGTERM});
  if (!process) return in_context("PoP " + name, process.error());
  processes_.push_back(std::move(*process));
  names_.push_back("PoP " + name);
  commands_.push_back("thalweg run -c " + name + ".toml");
  return {};
}

Result<void> Overlay::start_client(const Namespace& host, const ScratchFolder& scratch,
                                   Interrupt& interrupt) {
  const OverlayShape& shape = pair_.shape;
  auto key = write_key(scratch, fmt::format("client{}.key", shape.nth), pair_.client);
  if (!key) return std::unexpected(key.error());
  const std::string& device = pair_.client_device;
  const Command daemon{.argv = {"wireguard-go", "-f", device},
                       .netns_fd = host.fd(),
                       .environment = {"LOG_LEVEL=error"},
                       .death_signal = SIGTERM};
  auto process = Process::start(daemon);
  if (!process) return std::unexpected(process.error());
  processes_.push_back(std::move(*process));
  names_.emplace_back("wireguard-go");
  commands_.push_back(daemon.text());
  auto there = await_client("control socket", interrupt, [&device]() -> Result<bool> {
    return access(control_socket(device).c_str(), F_OK) == 0;
  });
  if (!there) return there;
  std::string allowed, routes;
  for (const std::string& target : {shape.rc(), shape.tunnelled, shape.relayed}) {
    if (target.empty()) continue;
    allowed += fmt::format("{}{}/32", allowed.empty() ? "" : ",", target);
    routes += fmt::format("route add {} dev {} congctl {}\n", target, device, shape.congestion);
  }
  const Command wg{
      .argv = {"wg", "set", device, "private-key", *key, "peer", pair_.rc.public_key, "endpoint",
               fmt::format("{}:{}", address::rc_access, shape.tunnel_port()), "allowed-ips",
               allowed},
      .netns_fd = host.fd()};
  if (auto set = run_checked(wg, interrupt); !set) return std::unexpected(set.error());
  commands_.push_back(wg.text());
  auto up = host.ip(fmt::format("address add {1}/32 dev {0}\nlink set {0} mtu 1420 up\n{2}", device,
                                shape.client(), routes),
                    interrupt);
  if (!up) return up;
  // Its sockets are there some time after its device is up.
  return await_client("UDP socket", interrupt, [this]() -> Result<bool> {
    const auto widened = set_udp_receive_buffers(processes_.back().pid(), client_buffer_bytes);
    if (!widened) return std::unexpected(widened.error());
    return *widened > 0;
  });
}

Result<void> Overlay::await_client(std::string_view what, Interrupt& interrupt,
                                   const std::function<Result<bool>()>& is_there) {
  for (int tries = 0;; ++tries) {
    const Result<bool> found = is_there();
    if (!found) return std::unexpected(found.error());
    if (*found) return {};
    if (auto alive = check(); !alive) return alive;
    if (tries == 250) {
      return make_error(Error::Kind::unavailable, fmt::format("wireguard-go: no {} for 5 s", what));
    }
    if (!interrupt.pause(std::chrono::milliseconds{20})) return interrupted();
  }
}

/// The PoP's own route to its client says nothing about congestion control; ours, in a table of its
/// own that is asked first, does. It changes nothing else, and goes with the namespace.
Result<void> Overlay::set_pop_congestion(const Namespace& rc, Interrupt& interrupt) {
  const OverlayShape& shape = pair_.shape;
  if (shape.pop_congestion.empty()) return {};
  const int table = first_congestion_table + shape.nth;
  const std::string commands =
      fmt::format("route add {0} dev {1} table {2} congctl {3}\nrule add to {0} lookup {2}\n",
                  shape.client(), pair_.rc_device, table, shape.pop_congestion);
  // The PoP brings its device up in its own time.
  for (int tries = 0;; ++tries) {
    auto set = rc.ip(commands, interrupt);
    if (set || tries == 100) return set;
    if (auto alive = check(); !alive) return alive;
    if (!interrupt.pause(std::chrono::milliseconds{100})) return interrupted();
  }
}

Result<void> Overlay::check() {
  for (std::size_t index = 0; index < processes_.size(); ++index) {
    Process& process = processes_[index];
    if (process.running()) continue;
    return make_error(Error::Kind::unavailable,
                      names_[index] + " ended by itself: " + last_lines(process.err(), 6));
  }
  return {};
}

}  // namespace tw::lab
