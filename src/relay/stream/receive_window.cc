#include "relay/stream/receive_window.h"

#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <climits>
#include <optional>

namespace tw::relay {
namespace {

constexpr std::uint8_t syn_received = 3;  // TCP_SYN_RECV, whose header clashes with linux/tcp.h

bool set(int socket, int level, int name, int value) noexcept {
  return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
}

// The kernel doubles what it is given.
bool set_memory(int socket, std::uint32_t memory) noexcept {
  const auto half = static_cast<int>(std::min<std::uint32_t>(memory / 2, INT_MAX / 2));
  return set(socket, SOL_SOCKET, SO_RCVBUFFORCE, half);
}

std::optional<tcp_info> info_of(int socket) noexcept {
  tcp_info read{};
  socklen_t size = sizeof read;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &read, &size) != 0) return std::nullopt;
  return read;
}

/// A socket in repair mode, in which its windows can be written. Afterwards the address can be
/// reused as before: leaving that mode forgets it, and a listener would not get its port again.
class Repair {
 public:
  explicit Repair(int socket) noexcept : socket_(socket) {
    on_ = set(socket, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
  }
  Repair(const Repair&) = delete;
  Repair& operator=(const Repair&) = delete;
  ~Repair() {
    if (!on_) return;
    set(socket_, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
    set(socket_, SOL_SOCKET, SO_REUSEADDR, 1);
  }
  std::optional<tcp_repair_window> read() const noexcept {
    tcp_repair_window window{};
    socklen_t size = sizeof window;
    if (!on_ || ::getsockopt(socket_, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &size) != 0) {
      return std::nullopt;
    }
    return window;
  }
  void write(const tcp_repair_window& window) const noexcept {
    static_cast<void>(
        ::setsockopt(socket_, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof window));
  }

 private:
  const int socket_;
  bool on_ = false;
};

}  // namespace

// The offered window is the one that the kernel remembers to have offered (rcv_wnd).
bool hold_window(int socket, std::uint32_t memory) noexcept {
  if (!set_memory(socket, memory)) return true;
  const Repair repair{socket};
  auto window = repair.read();
  if (!window) return true;
  window->rcv_wnd = std::min(window->rcv_wnd, memory / 2);
  repair.write(*window);
  return window->max_window == 0;  // no segment of the other side has told its own yet
}

void shrink_window(int socket, std::uint32_t memory) noexcept {
  static_cast<void>(hold_window(socket, memory));
}

// The threshold up to which the kernel opens a window on its own rises with the clamp, to what has
// been offered at most: so that is written for a moment. The clamp has to change for that.
void open_window(int socket, std::uint32_t memory) noexcept {
  if (!set_memory(socket, memory)) return;
  const Repair repair{socket};
  const auto offered = repair.read();
  if (!offered) return;
  const auto clamp = static_cast<int>(std::min<std::uint32_t>(memory, INT_MAX));
  auto whole = *offered;
  whole.rcv_wnd = std::max(memory, offered->rcv_wnd);
  repair.write(whole);
  set(socket, IPPROTO_TCP, TCP_WINDOW_CLAMP, clamp - 1);
  set(socket, IPPROTO_TCP, TCP_WINDOW_CLAMP, clamp);
  repair.write(*offered);
}

void widen_window(int socket, std::uint32_t memory) noexcept {
  if (!set_memory(socket, memory)) return;
  set(socket, IPPROTO_TCP, TCP_WINDOW_CLAMP,
      static_cast<int>(std::min<std::uint32_t>(memory, INT_MAX)));
}

std::uint32_t bound_memory(int socket, std::uint32_t memory) noexcept {
  const std::uint32_t before = memory_of(socket);
  return set_memory(socket, memory) ? before : 0;
}

void tune_memory(int socket, bool tuned) noexcept {
  constexpr int receive_buffer = 2;  // SOCK_RCVBUF_LOCK
  set(socket, SOL_SOCKET, SO_BUF_LOCK, tuned ? 0 : receive_buffer);
}

void free_memory(int socket, std::uint32_t memory) noexcept {
  if (memory == 0 || !set_memory(socket, memory)) return;
  tune_memory(socket, true);
  set(socket, IPPROTO_TCP, TCP_WINDOW_CLAMP, static_cast<int>(memory));
}

void bound_unsent(int socket, std::uint32_t bytes) noexcept {
  set(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, static_cast<int>(bytes));
}

std::uint32_t memory_of(int socket) noexcept {
  int memory = 0;
  socklen_t size = sizeof memory;
  if (::getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &memory, &size) != 0) return 0;
  return static_cast<std::uint32_t>(std::max(memory, 0));
}

std::uint32_t memory_used(int socket) noexcept {
  std::array<std::uint32_t, SK_MEMINFO_VARS> read{};
  socklen_t size = sizeof read;
  if (::getsockopt(socket, SOL_SOCKET, SO_MEMINFO, read.data(), &size) != 0) return 0;
  return read[SK_MEMINFO_RMEM_ALLOC];
}

std::uint32_t peer_window(int socket) noexcept {
  const auto info = info_of(socket);
  return info ? info->tcpi_snd_wnd : 0;
}

bool has_completed_handshake(int socket) noexcept {
  const auto info = info_of(socket);
  return !info || info->tcpi_state != syn_received;
}

}  // namespace tw::relay
