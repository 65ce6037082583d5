// For the tests of pacing: a path in virtual time, and legs on it that send as the kernel does. One
// bottleneck with a rate, a round trip and a queue that drops at its tail; what got lost is sent
// again an RTT later. Nothing but pacing bounds a leg: its congestion window never closes.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/random.h"
#include "relay/leg_pacer.h"

namespace tw::relay {

class TestPath {
 public:
  struct Shape {
    std::uint64_t rate_bps;
    Duration rtt = 215ms;
    std::uint64_t queue_bytes = 1'000'000;
    double loss = 0;
  };
  /// A leg, from its making on. What it is given to send is in its socket's buffer at once.
  struct Leg {
    Leg(const std::shared_ptr<PathRate>& path, int socket) : pacer(path, socket) {}
    LegPacer pacer;
    std::uint64_t kernel_bps = 0, wanted_bps = 0;  // the kernel raises with an acknowledgement only
    std::uint64_t written = 0, first_sent = 0, again = 0;
    std::uint64_t sent = 0, delivered = 0, retransmitted = 0, samples = 0;
    double credit = 0;
    Duration rtt{}, min_rtt{};
    Instant finished;  // when all that was written has arrived
    bool done() const { return delivered == written; }
  };

  TestPath(Shape shape, std::uint64_t first_rate_bps)
      : shape_(shape),
        rate_(std::make_shared<PathRate>(first_rate_bps, [this](int socket, std::uint64_t bps) {
          set_rate(*legs_.at(socket), bps);
        })) {}

  Shape& shape() { return shape_; }
  PathRate& rate() { return *rate_; }
  Instant now() const { return now_; }
  std::uint64_t dropped() const { return dropped_; }

  std::unique_ptr<Leg> make_leg() {
    auto leg = std::make_unique<Leg>(rate_, ++last_socket_);
    legs_[last_socket_] = leg.get();
    leg->kernel_bps = leg->wanted_bps = leg->pacer.resting_bps(now_);
    leg->rtt = leg->min_rtt = shape_.rtt;
    return leg;
  }
  void write(Leg& leg, std::uint64_t bytes) {
    leg.written += bytes;
    leg.pacer.on_written(leg.written, now_);
  }
  /// Acknowledgements that come until then are heard only then: the receiver or the machine is
  /// late.
  void hold_acks(Duration time) { deaf_until_ = now_ + time; }
  /// A millisecond.
  void tick(const std::vector<Leg*>& legs) {
    now_ = now_ + 1ms;
    for (Leg* leg : legs) sample(*leg);  // sees what left and came before this millisecond
    hear();
    for (Leg* leg : legs) leg->credit += static_cast<double>(leg->kernel_bps) / 8000;
    for (bool sent = true; sent;) {
      sent = false;
      for (Leg* leg : legs) sent = send(*leg) || sent;
    }
    drain();
  }
  /// Until all have delivered what was written.
  void run(const std::vector<Leg*>& legs) {
    while (!std::ranges::all_of(legs, &Leg::done)) tick(legs);
  }
  void wait(Duration time) {
    for (const Instant end = now_ + time; now_ < end;) tick({});
  }

  struct Transfer {
    double lost = 0;  // retransmitted / sent
    Duration time{};
  };
  /// All of it on a new leg, which goes a second later.
  Transfer transfer(std::uint64_t bytes) {
    const auto leg = make_leg();
    const Instant begun = now_;
    write(*leg, bytes);
    run({leg.get()});
    const Duration time = now_ - begun;
    for (int ms = 0; ms < 1000; ++ms) tick({leg.get()});
    return {static_cast<double>(leg->retransmitted) / static_cast<double>(leg->sent), time};
  }

 private:
  static constexpr std::uint64_t segment = 1380;
  struct Packet {
    Leg* leg;
    std::uint64_t bytes;
    Instant sent;
    bool lost;
  };

  void hear() {
    if (now_ < deaf_until_) return;
    while (!acks_.empty() && acks_.begin()->first <= now_) {
      const Packet packet = acks_.begin()->second;
      acks_.erase(acks_.begin());
      Leg& leg = *packet.leg;
      if (packet.lost) {
        leg.again += packet.bytes;
        continue;
      }
      leg.delivered += packet.bytes;
      if (leg.done()) leg.finished = now_;
      leg.rtt += (now_ - packet.sent - leg.rtt) / 8;
      leg.min_rtt = std::min(leg.min_rtt, now_ - packet.sent);
      leg.kernel_bps = leg.wanted_bps;
    }
  }
  void sample(Leg& leg) {
    if (leg.pacer.deadline() > now_) return;
    ++leg.samples;
    const auto rate = leg.pacer.on_sample({.rtt = leg.rtt,
                                           .min_rtt = leg.min_rtt,
                                           .sent_bytes = leg.sent,
                                           .delivered_bytes = leg.delivered,
                                           .retransmitted_bytes = leg.retransmitted,
                                           .notsent_bytes = leg.written - leg.first_sent},
                                          now_);
    if (rate) set_rate(leg, *rate);
  }
  static void set_rate(Leg& leg, std::uint64_t bps) {
    leg.wanted_bps = bps;
    leg.kernel_bps = std::min(leg.kernel_bps, bps);
  }
  bool send(Leg& leg) {
    const bool repeat = leg.again > 0;
    const std::uint64_t bytes =
        std::min(segment, repeat ? leg.again : leg.written - leg.first_sent);
    if (bytes == 0) leg.credit = std::min(leg.credit, 0.0);
    if (bytes == 0 || leg.credit < static_cast<double>(bytes)) return false;
    leg.credit -= static_cast<double>(bytes);
    leg.sent += bytes;
    if (repeat) {
      leg.again -= bytes;
      leg.retransmitted += bytes;
    } else {
      leg.first_sent += bytes;
    }
    const bool lost = static_cast<double>(random_.next() >> 11U) * 0x1p-53 < shape_.loss;
    if (!lost && queued_ + bytes <= shape_.queue_bytes) {
      queue_.push_back({&leg, bytes, now_, false});
      queued_ += bytes;
    } else {
      dropped_ += bytes;
      const auto delay = Duration{queued_ * 8'000'000'000 / shape_.rate_bps};
      acks_.emplace(now_ + delay + shape_.rtt, Packet{&leg, bytes, now_, true});
    }
    return true;
  }
  void drain() {
    line_ += static_cast<double>(shape_.rate_bps) / 8000;
    while (!queue_.empty() && line_ >= static_cast<double>(queue_.front().bytes)) {
      const Packet packet = queue_.front();
      queue_.pop_front();
      line_ -= static_cast<double>(packet.bytes);
      queued_ -= packet.bytes;
      acks_.emplace(now_ + shape_.rtt, packet);
    }
    if (queue_.empty()) line_ = 0;
  }
  Shape shape_;
  std::map<int, Leg*> legs_;
  int last_socket_ = 0;
  std::shared_ptr<PathRate> rate_;
  Instant now_{1s}, deaf_until_;
  std::deque<Packet> queue_;
  std::uint64_t queued_ = 0, dropped_ = 0;
  double line_ = 0;
  std::multimap<Instant, Packet> acks_;
  SeededRandom random_{1};
};

}  // namespace tw::relay
