#include "relay/stream/connection_starts.h"

#include <algorithm>

namespace tw::relay {

void ConnectionStarts::start_leg(Side side, LegStart start, Instant now) {
  auto& leg = side == Side::front ? front_ : back_;
  leg.emplace(std::move(start)).prepare(now);
}

void ConnectionStarts::before_answer(Instant now) noexcept {
  if (client_) client_->begin(now);
}

void ConnectionStarts::on_written(std::uint64_t upstream, std::uint64_t downstream,
                                  Instant now) noexcept {
  const auto drive = [now](OnDemand<LegStart>& leg, std::uint64_t bytes) {
    if (!leg) return;
    leg->on_written(bytes, now);
    if (now >= leg->deadline()) leg->drive(now);
  };
  if (client_) client_->on_written(downstream, now);
  drive(front_, downstream);
  drive(back_, upstream);
}

Instant ConnectionStarts::deadline() const noexcept {
  Instant earliest = client_ ? client_->deadline() : Instant::max();
  for (const auto* leg : {&front_, &back_}) {
    if (*leg) earliest = std::min(earliest, (*leg)->deadline());
  }
  return earliest;
}

void ConnectionStarts::learn(Instant now) noexcept {
  if (client_) client_->finish(now);
  if (front_) front_->finish(now);
  if (back_) back_->finish(now);
}

void ConnectionStarts::close() noexcept {
  client_.reset();
  front_.reset();
  back_.reset();
}

}  // namespace tw::relay
