#include "lab/overlay.h"

#include <fmt/format.h>
#include <unistd.h>

#include "lab/netns.h"

namespace tw::lab {
namespace {

Result<std::string> write_key(const ScratchFolder& scratch, const std::string& name,
                              const Identity& identity) {
  std::string text = crypto::key_to_base64(identity.private_key.view()) + "\n";
  auto path = scratch.write(name, text);
  crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return path;
}

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

Result<Overlay> Overlay::start(const Topology& topology, const ScratchFolder& scratch,
                               Interrupt& interrupt) {
  PopPair pair;
  pair.folder = scratch.path().string();
  pair.client_device = device_prefix() + "c";
  pair.rc_device = device_prefix() + "r";
  pair.rs_device = device_prefix() + "s";
  Overlay overlay{std::move(pair)};
  const PopPair& made = overlay.pair_;
  auto done = overlay.start_pop(topology.rs(), "rs", rs_config(made), made.rs, scratch);
  if (done) done = overlay.start_pop(topology.rc(), "rc", rc_config(made), made.rc, scratch);
  if (done) done = overlay.start_client(topology.client(), scratch, interrupt);
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
  auto key = write_key(scratch, "client.key", pair_.client);
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
  for (int tries = 0; access(control_socket(device).c_str(), F_OK) != 0; ++tries) {
    if (auto alive = check(); !alive) return alive;
    if (tries == 250)
      return make_error(Error::Kind::unavailable, "wireguard-go: no control socket");
    if (!interrupt.pause(std::chrono::milliseconds{20})) return interrupted();
  }
  const std::string allowed = fmt::format("{}/32,{}/32,{}/32", address::rc_overlay,
                                          address::service_tunnelled, address::service_relayed);
  const Command wg{
      .argv = {"wg", "set", device, "private-key", *key, "peer", pair_.rc.public_key, "endpoint",
               fmt::format("{}:{}", address::rc_access, tunnel_port), "allowed-ips", allowed},
      .netns_fd = host.fd()};
  if (auto set = run_checked(wg, interrupt); !set) return std::unexpected(set.error());
  commands_.push_back(wg.text());
  return host.ip(fmt::format("address add {1}/32 dev {0}\nlink set {0} mtu 1420 up\n"
                             "route add {2} dev {0} congctl cubic\n"
                             "route add {3} dev {0} congctl cubic\n"
                             "route add {4} dev {0} congctl cubic\n",
                             device, address::client_overlay, address::service_tunnelled,
                             address::service_relayed, address::rc_overlay),
                 interrupt);
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
