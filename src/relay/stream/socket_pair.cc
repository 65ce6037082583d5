#include "relay/stream/socket_pair.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

#include "relay/pacing/tcp_sample.h"
#include "relay/sockets/sockets.h"

namespace tw::relay {
namespace {

// The SYN counts as a byte of those that the other side has acknowledged.
constexpr std::uint64_t our_syn = 1;

std::uint64_t delivered_bytes(int socket) noexcept {
  const auto sample = read_tcp_sample(socket);
  return sample ? sample->delivered_bytes : 0;
}

}  // namespace

// A warm leg has delivered its hello before, which says nothing of its PoP's being alive now.
void SocketPair::set_back(UniqueFd back, bool warm) noexcept {
  back_ = std::move(back);
  back_failed_ = false;
  delivered_before_ = warm ? std::max(our_syn, delivered_bytes(back_.get())) : our_syn;
}

int SocketPair::take_failure(Side side) noexcept {
  return std::exchange(failed(side), false) ? take_error(at(side)) : 0;
}

bool SocketPair::send_whole(Side side, ByteView bytes) const noexcept {
  return ::send(at(side), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(bytes.size());
}

void SocketPair::close(bool in_order) noexcept {
  for (const int socket : {front(), back()}) {
    if (in_order && socket >= 0) end_in_order(socket);
  }
  back_.reset();
  front_.reset();
}

bool SocketPair::is_heard() const noexcept { return delivered_bytes(back()) > delivered_before_; }

bool SocketPair::is_connecting() const noexcept { return relay::is_connecting(back()); }

std::uint64_t SocketPair::undelivered() const noexcept {
  std::uint64_t queued = 0;
  for (const int socket : {front(), back()}) {
    int bytes = 0;
    if (::ioctl(socket, SIOCOUTQ, &bytes) == 0 && bytes > 0) {
      queued += static_cast<std::uint64_t>(bytes);
    }
  }
  return queued;
}

}  // namespace tw::relay
