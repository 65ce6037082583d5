#include "node/tunnel/tunnel_sockets.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"

namespace tw::node {
namespace {

/// A port that is free for IPv4 may be taken for IPv6; so often another is tried.
constexpr int attempts = 16;

/// Packets in it, or in the device's queue behind it, wait for the wire: 8 ms at 1 Gbps, 1 ms
/// at 8. Less could not take what one turn of the worker seals.
constexpr std::size_t send_buffer_bytes = std::size_t{1} << 20U;

bool means_no_ipv6(const Error& error) noexcept {
  return error.os_errno == EAFNOSUPPORT || error.os_errno == EADDRNOTAVAIL ||
         error.os_errno == EPROTONOSUPPORT;
}

Result<std::unique_ptr<UdpPort>> make_port(UdpSocket socket, std::uint32_t fwmark,
                                           const PathChanges* changes) {
  Result<std::unique_ptr<KernelPaths>> lookup = KernelPaths::open();
  if (!lookup) return std::unexpected(lookup.error());
  auto paths = std::make_unique<PathTable>(std::move(*lookup), changes, socket.port);
  paths->set_fwmark(fwmark);
  return std::make_unique<UdpPort>(std::move(socket.fd), &::sendmmsg, std::move(paths),
                                   socket.receives_trains);
}

}  // namespace

Result<TunnelSockets> TunnelSockets::open(std::uint16_t port, std::uint32_t fwmark,
                                          const DeviceOffloads& offloads,
                                          const PathChanges* changes, std::size_t workers) {
  TunnelSockets sockets;
  sockets.fwmark_ = fwmark;
  UdpOptions options;
  options.fwmark = fwmark;
  options.receive_trains = offloads.udp_receive;
  options.receive_age = true;
  options.send_buffer_bytes = send_buffer_bytes;
  for (int attempt = 1;; ++attempt) {
    options.port = port;
    Result<Pair> first = open_pair(options, changes, sockets.port_);
    const bool taken = !first && first.error().os_errno == EADDRINUSE;
    if (taken && port == 0 && attempt < attempts) continue;
    if (!first) return std::unexpected(first.error());
    sockets.pairs_.push_back(std::move(*first));
    break;
  }
  if (workers > 1) {
    const Result<void> others = sockets.open_others(options, changes, workers);
    if (!others) return std::unexpected(others.error());
  }
  sockets.receive_trains_ = offloads.udp_receive;
  for (UdpPort* made : sockets.all()) {
    if (!offloads.udp_send) made->send_singles_only();
    sockets.receive_trains_ = sockets.receive_trains_ && made->capabilities().receives_trains;
  }
  return sockets;
}

/// `port`: the one that both have got.
Result<TunnelSockets::Pair> TunnelSockets::open_pair(const UdpOptions& wanted,
                                                     const PathChanges* changes,
                                                     std::uint16_t& port) {
  UdpOptions options = wanted;
  Pair pair;
  Result<UdpSocket> v4 = open_udp(options);
  if (!v4) return std::unexpected(v4.error());
  port = v4->port;
  options.family = Family::v6;
  options.port = port;
  Result<UdpSocket> v6 = open_udp(options);
  if (!v6 && !means_no_ipv6(v6.error())) return std::unexpected(v6.error());
  auto v4_port = make_port(std::move(*v4), options.fwmark, changes);
  if (!v4_port) return std::unexpected(v4_port.error());
  pair.v4 = std::move(*v4_port);
  if (v6) {
    auto v6_port = make_port(std::move(*v6), options.fwmark, changes);
    if (!v6_port) return std::unexpected(v6_port.error());
    pair.v6 = std::move(*v6_port);
  }
  return pair;
}

/// The first ones have the port for themselves, or there would be none here; now they share it.
Result<void> TunnelSockets::open_others(const UdpOptions& options, const PathChanges* changes,
                                        std::size_t workers) {
  for (const UdpPort* first : all()) {
    if (Result<void> shared = share_port(first->wait_fd()); !shared) return shared;
  }
  UdpOptions joining = options;
  joining.port = port_;
  joining.reuse_port = true;
  while (pairs_.size() < workers) {
    std::uint16_t same = 0;
    Result<Pair> pair = open_pair(joining, changes, same);
    if (!pair) return std::unexpected(pair.error());
    pairs_.push_back(std::move(*pair));
  }
  return {};
}

Result<void> TunnelSockets::steer(KernelSteering& steering) const {
  for (const UdpPort* first : {pairs_.front().v4.get(), pairs_.front().v6.get()}) {
    if (first == nullptr) continue;
    if (Result<void> done = steering.attach_wire(first->wait_fd()); !done) return done;
  }
  for (std::size_t worker = 0; worker < pairs_.size(); ++worker) {
    const Pair& pair = pairs_[worker];
    Result<void> done = steering.use_socket(Family::v4, worker, pair.v4->wait_fd());
    if (done && pair.v6) done = steering.use_socket(Family::v6, worker, pair.v6->wait_fd());
    if (!done) return done;
  }
  return {};
}

std::vector<UdpPort*> TunnelSockets::all() const {
  std::vector<UdpPort*> ports;
  for (const Pair& pair : pairs_) {
    for (UdpPort* port : {pair.v4.get(), pair.v6.get()}) {
      if (port != nullptr) ports.push_back(port);
    }
  }
  return ports;
}

void TunnelSockets::close() noexcept { pairs_.clear(); }

Result<void> TunnelSockets::set_fwmark(std::uint32_t fwmark) {
  const std::vector<UdpPort*> ports = all();
  for (std::size_t set = 0; set < ports.size(); ++set) {
    Result<void> done = tw::set_fwmark(ports[set]->wait_fd(), fwmark);
    if (done) continue;
    for (std::size_t undo = 0; undo < set; ++undo) {
      const Result<void> undone = tw::set_fwmark(ports[undo]->wait_fd(), fwmark_);
      if (!undone) log::error("a socket keeps its new mark: {}", undone.error().text());
    }
    return done;
  }
  fwmark_ = fwmark;
  for (UdpPort* port : ports) port->mark_changed(fwmark);
  return {};
}

bool TunnelSockets::send_trains() const noexcept {
  return std::ranges::all_of(all(),
                             [](const UdpPort* port) { return port->capabilities().sends_trains; });
}

std::uint64_t TunnelSockets::kernel_drops() const noexcept {
  std::uint64_t drops = 0;
  for (const UdpPort* port : all()) drops += port->kernel_drops();
  return drops;
}

}  // namespace tw::node
