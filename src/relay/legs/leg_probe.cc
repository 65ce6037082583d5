#include "relay/legs/leg_probe.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace tw::relay {
namespace {

constexpr int established = 1;  // TCP_ESTABLISHED, which linux/tcp.h does not have
constexpr int most_keepalives = 127;

bool read_info(int socket, tcp_info& info) noexcept {
  socklen_t size = sizeof info;
  return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
}

bool set(int socket, int level, int name, int value) noexcept {
  return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
}

// A socket that leaves repair mode sends a window probe: an old byte's number and no byte, which a
// receiver must acknowledge. Entering and leaving it changes nothing else but SO_REUSEADDR, without
// which a listener could not be bound while the connection's end is remembered.
bool ask_by_window_probe(int socket) noexcept {
  int reuse = 0;
  socklen_t size = sizeof reuse;
  static_cast<void>(::getsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuse, &size));
  if (!set(socket, IPPROTO_TCP, TCP_REPAIR, 1)) return false;
  set(socket, IPPROTO_TCP, TCP_REPAIR, 0);
  if (reuse != 0) set(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  return true;
}

// Not a shorter death: the kernel's own count of unanswered keepalives would end a connection while
// a route flaps.
void ask_by_keepalive(int socket) noexcept {
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, most_keepalives);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, 1);
}

}  // namespace

std::uint32_t segments_received(int socket) noexcept {
  tcp_info info{};
  return read_info(socket, info) ? info.tcpi_segs_in : 0;
}

void ask_whether_alive(int socket) noexcept {
  tcp_info info{};
  if (!read_info(socket, info)) return;
  if (info.tcpi_state == established && ask_by_window_probe(socket)) return;
  ask_by_keepalive(socket);
}

}  // namespace tw::relay
