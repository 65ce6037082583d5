#include "relay/client_start.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

namespace tw::relay {
namespace {

constexpr std::uint64_t unpaced = std::numeric_limits<std::uint64_t>::max();
// The initial window of RFC 6928: a path that carries no more in an RTT gains nothing.
constexpr std::uint64_t stock_window_bytes = 13'800;
constexpr Duration shortest_start = 1ms;

bool set_control(int socket, std::string_view name) noexcept {
  return ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                      static_cast<socklen_t>(name.size())) == 0;
}

std::uint64_t bytes_in(std::uint64_t bps, Duration time) noexcept {
  const double seconds = std::chrono::duration<double>(time).count();
  return static_cast<std::uint64_t>(static_cast<double>(bps) * seconds / 8);
}
// Selective acknowledgements come and go: a sum may step back by a segment.
std::uint64_t since(std::uint64_t earlier, std::uint64_t later) noexcept {
  return later > earlier ? later - earlier : 0;
}

}  // namespace

ClientStart& ClientStart::operator=(ClientStart&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  rates_ = std::move(other.rates_);
  client_ = other.client_;
  socket_ = other.socket_;
  cap_bps_ = other.cap_bps_;
  taken_bps_ = std::exchange(other.taken_bps_, 0);
  control_ = std::move(other.control_);
  phase_ = other.phase_;
  deadline_ = other.deadline_;
  look_at_ = other.look_at_;
  sent_ = other.sent_;
  delivered_ = other.delivered_;
  retransmitted_ = other.retransmitted_;
  return *this;
}

// The rate first: the window is opened as far as it fills it.
void ClientStart::start(Instant now) noexcept {
  phase_ = Phase::watching;
  taken_bps_ = rates_->take(client_, cap_bps_, now);
  if (taken_bps_ == 0) return;
  const auto sample = read_tcp_sample(socket_);
  const bool gains = sample && bytes_in(taken_bps_, sample->rtt) > stock_window_bytes;
  if (!gains || !set_pacing_rate(socket_, taken_bps_)) return give_back();
  if (!open_window()) {
    lower_socket(socket_, unpaced);
    return give_back();
  }
  rates_->count_start();
  phase_ = Phase::starting;
  deadline_ = now + std::max(sample->rtt, shortest_start);
}

// Our congestion control does its work when it is set; the socket's own does all that follows.
bool ClientStart::open_window() noexcept {
  std::array<char, 16> before{};  // TCP_CA_NAME_MAX
  auto size = static_cast<socklen_t>(before.size());
  if (::getsockopt(socket_, IPPROTO_TCP, TCP_CONGESTION, before.data(), &size) != 0) return false;
  const std::string_view own{before.data(), ::strnlen(before.data(), before.size())};
  return set_control(socket_, control_) && set_control(socket_, own);
}

void ClientStart::on_written(std::uint64_t total_bytes, Instant now) noexcept {
  if (now >= deadline_) end_start();
  if (total_bytes < look_at_) return;
  look_at_ = total_bytes + stretch_bytes;
  learn(true, now);
}

// From the next acknowledgement on.
void ClientStart::end_start() noexcept {
  phase_ = Phase::watching;
  deadline_ = Instant::max();
  lower_socket(socket_, unpaced);
  give_back();
}

void ClientStart::give_back() noexcept {
  if (taken_bps_ > 0) rates_->give_back(client_, std::exchange(taken_bps_, 0));
}

void ClientStart::finish(Instant now) noexcept {
  learn(false, now);
  give_back();
}

void ClientStart::learn(bool goes_on, Instant now) noexcept {
  const auto sample = read_tcp_sample(socket_);
  if (!sample) return;
  const ClientRates::Stretch stretch{
      .sent_bytes = since(sent_, sample->sent_bytes),
      .delivered_bytes = since(delivered_, sample->delivered_bytes),
      .retransmitted_bytes = since(retransmitted_, sample->retransmitted_bytes),
      .delivery_bps = sample->delivery_bps,
      .rtt = sample->rtt,
      .goes_on = goes_on,
      .ends = !goes_on && look_at_ > stretch_bytes};
  // Most of what was written may still be in the socket: then it belongs to the next stretch.
  if (goes_on && stretch.delivered_bytes < ClientRates::enough_bytes) return;
  sent_ = sample->sent_bytes;
  delivered_ = sample->delivered_bytes;
  retransmitted_ = sample->retransmitted_bytes;
  rates_->learn(client_, stretch, now);
}

}  // namespace tw::relay
