#include "node/tunnel/tunnel_sockets.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/log.h"
#include "port/udp/sockets.h"

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
  return std::make_unique<UdpPort>(std::move(socket.fd), &::sendmmsg, std::move(paths));
}

/// By turning on what open_udp() has turned on, if that could be: to read it back is newer than the
/// option itself (Linux 5.13 and 5.0).
bool receives_trains(const UdpPort& port) noexcept {
  const int on = 1;
  return ::setsockopt(port.wait_fd(), SOL_UDP, UDP_GRO, &on, sizeof on) == 0;
}

}  // namespace

Result<TunnelSockets> TunnelSockets::open(std::uint16_t port, std::uint32_t fwmark,
                                          const DeviceOffloads& offloads,
                                          const PathChanges* changes) {
  TunnelSockets sockets;
  sockets.fwmark_ = fwmark;
  for (int attempt = 1;; ++attempt) {
    UdpOptions options;
    options.port = port;
    options.fwmark = fwmark;
    options.receive_trains = offloads.udp_receive;
    options.receive_age = true;
    options.send_buffer_bytes = send_buffer_bytes;
    Result<UdpSocket> v4 = open_udp(options);
    if (!v4) return std::unexpected(v4.error());
    options.family = Family::v6;
    options.port = v4->port;
    Result<UdpSocket> v6 = open_udp(options);
    const bool taken = !v6 && v6.error().os_errno == EADDRINUSE;
    if (taken && port == 0 && attempt < attempts) continue;
    if (!v6 && !means_no_ipv6(v6.error())) return std::unexpected(v6.error());
    sockets.port_ = v4->port;
    auto v4_port = make_port(std::move(*v4), fwmark, changes);
    if (!v4_port) return std::unexpected(v4_port.error());
    sockets.v4_ = std::move(*v4_port);
    if (v6) {
      auto v6_port = make_port(std::move(*v6), fwmark, changes);
      if (!v6_port) return std::unexpected(v6_port.error());
      sockets.v6_ = std::move(*v6_port);
    }
    sockets.receive_trains_ = offloads.udp_receive;
    for (UdpPort* port_made : {sockets.v4_.get(), sockets.v6_.get()}) {
      if (port_made == nullptr) continue;
      if (!offloads.udp_send) port_made->send_singles_only();
      sockets.receive_trains_ = sockets.receive_trains_ && receives_trains(*port_made);
    }
    return sockets;
  }
}

void TunnelSockets::close() noexcept {
  v4_.reset();
  v6_.reset();
}

Result<void> TunnelSockets::set_fwmark(std::uint32_t fwmark) {
  Result<void> done = v4_ == nullptr ? Result<void>{} : tw::set_fwmark(v4_->wait_fd(), fwmark);
  if (done && v6_ != nullptr) {
    done = tw::set_fwmark(v6_->wait_fd(), fwmark);
    if (!done) {
      const Result<void> undone = tw::set_fwmark(v4_->wait_fd(), fwmark_);
      if (!undone) log::error("the IPv4 socket keeps its new mark: {}", undone.error().text());
    }
  }
  if (!done) return done;
  fwmark_ = fwmark;
  for (UdpPort* port : {v4_.get(), v6_.get()}) {
    if (port != nullptr) port->mark_changed(fwmark);
  }
  return done;
}

bool TunnelSockets::send_trains() const noexcept {
  return (v4_ == nullptr || v4_->sends_trains()) && (v6_ == nullptr || v6_->sends_trains());
}

std::uint64_t TunnelSockets::kernel_drops() const noexcept {
  std::uint64_t drops = 0;
  for (const UdpPort* port : {v4_.get(), v6_.get()}) {
    if (port != nullptr) drops += port->kernel_drops();
  }
  return drops;
}

}  // namespace tw::node
