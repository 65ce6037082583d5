#include "relay/pacing/client_start.h"

#include <algorithm>
#include <utility>

#include "relay/pacing/tcp_sample.h"

namespace tw::relay {
namespace {

constexpr Duration shortest_start = 1ms;

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
  most_ = other.most_;
  resumer_ = other.resumer_;
  phase_ = other.phase_;
  deadline_ = other.deadline_;
  look_at_ = other.look_at_;
  sent_ = other.sent_;
  delivered_ = other.delivered_;
  retransmitted_ = other.retransmitted_;
  return *this;
}

// One that has sent has its window, and a handshake that was repeated says nothing of the path.
void ClientStart::start(Instant now) noexcept {
  phase_ = Phase::watching;
  taken_bps_ = rates_->take(client_, cap_bps_, now);
  if (taken_bps_ == 0) return;
  const auto sample = read_tcp_sample(socket_);
  if (!sample || sample->sent_bytes > 0 || sample->segment_bytes == 0) return give_back();
  const auto window = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(bytes_in(taken_bps_, sample->rtt) / sample->segment_bytes, most_));
  if (window <= sample->window ||
      !resumer_->resume(
          socket_, {.rate_bps = taken_bps_, .window = window, .probe = Resumer::Probe::nothing})) {
    return give_back();
  }
  rates_->count_start();
  phase_ = Phase::starting;
  deadline_ = now + std::max(sample->rtt, shortest_start);
}

void ClientStart::on_written(std::uint64_t total_bytes, Instant now) noexcept {
  if (now >= deadline_) end_start();
  if (total_bytes < look_at_) return;
  look_at_ = total_bytes + stretch_bytes;
  learn(true, now);
}

void ClientStart::end_start() noexcept {
  phase_ = Phase::watching;
  deadline_ = Instant::max();
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
