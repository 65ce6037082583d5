// link: tw_lane
// covers: lane/receive/*.cc lane/transmit/*.cc lane/peers/peer_sessions.cc lane/tunnel_lane.cc
// Two lanes joined in memory, and what hosts, the wire, the relay and full queues do to them, as a
// list of steps. Whatever comes: each segment that came in has been delivered, dropped for a
// reason, consumed, or is held; what is counted at the ports is what the lanes have counted; and a
// host gets what the other one sent, each packet once, but for congestion marks.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "base/assert.h"
#include "base/log.h"
#include "fuzz_input.h"
#include "lane_pair.h"
#include "packet_sums.h"
#include "wire/offload/gso.h"

namespace {

using namespace tw;  // NOLINT(google-build-using-namespace)
using testing::Bytes, testing::FuzzInput, testing::LaneMachine, testing::LanePair;

constexpr std::size_t most_steps = 48;
constexpr std::size_t reports_capacity = 64;

/// Returns the part of a packet that must arrive: not the congestion mark, nor the sum that it is
/// in.
Bytes kept_of(Bytes packet) {
  const bool v4 = packet[0] >> 4U == 4;
  packet[1] = static_cast<std::uint8_t>(packet[1] & (v4 ? 0xfcU : 0xcfU));
  packet = testing::essence(std::move(packet));
  if (v4) packet[10] = packet[11] = 0;
  return packet;
}

class Run {
 public:
  Run(const std::uint8_t* bytes, std::size_t size, crypto::AeadEngine& engine)
      : input_(bytes, size), pair_(engine) {
    right().report_syns(reports_.get(), &answers_);
    right().hold_syns(true);
  }
  ~Run() { right().report_syns(nullptr); }
  void run() {
    for (std::size_t step = 0; step < most_steps && !input_.empty(); ++step) one_step();
    settle_and_check();
    right().report_syns(nullptr);
    TW_ASSERT(right().counters().from_wire.queued() == 0);
  }

 private:
  /// One of the two, and what its host has sent, got and may have been told by others.
  struct End {
    LaneMachine& machine;
    std::multiset<Bytes> sent{};
    std::uint64_t sent_segments = 0, got_packets = 0;
    std::uint64_t forged_segments = 0;  ///< that came from the wire and the other did not send
    std::uint64_t not_of_the_other = 0;
  };
  lane::TunnelLane& right() { return pair_.right.lane; }

  void one_step() {
    const std::uint8_t step = input_.byte(), argument = input_.byte();
    End& from = ends_[argument % 2U];
    End& to = ends_[(argument + 1U) % 2U];
    switch (step % 10) {
      case 0:
        return raw_from_host(from, argument);
      case 1:
        return train_from_host(from, argument);
      case 2:
        return forge(from, to);
      case 3:
        return damage(from, to);
      case 4:
        return replay(from, to);
      case 5:
        return mark(from, to);
      case 6:
        pair_.clock.advance(std::chrono::milliseconds{argument * argument});
        return;
      case 7:
        return answer(argument);
      case 8:
        return refuse(from.machine, argument);
      default:
        return settle_and_check();
    }
  }

  void offer(End& from, Bytes packet, const VnetHeader& vnet) {
    if (packet.empty()) return;
    const auto view = GsoView::of(packet, vnet);
    from.sent_segments += view ? view->segment_count() : 1;
    for (std::size_t i = 0; view && i < view->segment_count(); ++i) {
      Bytes segment(view->segment_length(i));
      view->segment(i, segment);
      segment.resize(IpPacketView::of(segment)->total_length);  // the rest is padding
      from.sent.insert(kept_of(segment));
    }
    Train train;
    train.vnet = vnet;
    train.bytes = packet.data();
    train.length = train.segment_size = static_cast<std::uint32_t>(packet.size());
    TW_ASSERT(from.machine.host.send({&train, 1}).taken == 1);
  }
  void raw_from_host(End& from, std::uint8_t how) {
    VnetHeader vnet;
    if ((how & 2U) != 0) {
      vnet.flags = input_.byte();
      vnet.gso_type = input_.byte();
      vnet.gso_size = input_.word() % 2048;
      vnet.csum_start = input_.byte();
      vnet.csum_offset = input_.byte();
    }
    const ByteView bytes = input_.take(input_.word() % 4096);
    Bytes packet(bytes.begin(), bytes.end());
    if ((how & 4U) != 0) testing::make_right(packet);
    offer(from, std::move(packet), vnet);
  }
  void train_from_host(End& from, std::uint8_t how) {
    test::Train train{.v6 = (how & 2U) != 0, .tcp = (how & 4U) != 0, .tos = input_.byte()};
    train.flags = input_.byte();
    train.tcp_options = train.tcp ? input_.byte() % 11U * 4 : 0;
    train.gso_size = static_cast<std::uint16_t>(1 + input_.word() % 1500);
    train.payload.resize(std::min<std::size_t>(input_.word(), train.gso_size * std::size_t{64}));
    train.payload.resize(std::min<std::size_t>(train.payload.size(), 60000));
    train.sequence = ++sequence_;
    Bytes packet = train.whole();
    const bool is_single = train.segments() == 1;
    VnetHeader vnet = train.vnet();
    if (is_single && (how & 8U) != 0) {
      testing::make_right(packet);
      vnet = {};
    }
    offer(from, std::move(packet), vnet);
  }

  /// Datagrams that nobody has sealed.
  void forge(End& from, End& to) {
    const std::uint32_t segment = input_.byte() + 1U;
    const ByteView bytes = input_.take(input_.word() % 1024);
    Bytes owned(bytes.begin(), bytes.end());
    Train train;
    train.bytes = owned.data();
    train.length = static_cast<std::uint32_t>(owned.size());
    train.segment_size = std::min(segment, train.length);
    train.source = *Endpoint::parse("192.0.2.66:666");
    send_again(from, to, train);
  }
  void send_again(End& from, End& to, const Train& train) {
    // A socket that refuses the sender's own packets does not concern these, unless the queue is
    // full.
    from.machine.udp.refuse_sends(0);
    from.machine.udp.refuse_after_segments(0, 0);
    if (from.machine.udp.send({&train, 1}).taken == 1) to.forged_segments += train.segments();
  }
  void damage(const End& from, End& to) {
    from.machine.context.run_until_idle();
    const std::uint16_t at = input_.word();
    const std::uint8_t bits = input_.byte();
    to.machine.udp.mark_waiting([&](Train& train) {
      if (train.length > 0) train.bytes[at % train.length] ^= bits;
    });
  }
  void replay(End& from, End& to) {
    from.machine.context.run_until_idle();
    std::vector<std::pair<Train, Bytes>> copies;
    to.machine.udp.mark_waiting([&](const Train& train) {
      const ByteSpan bytes = train.all();
      copies.emplace_back(train, Bytes{bytes.begin(), bytes.end()});
    });
    for (auto& [train, bytes] : copies) {
      train.bytes = bytes.data();
      send_again(from, to, train);
    }
  }
  void mark(const End& from, End& to) {
    from.machine.context.run_until_idle();
    const std::uint8_t outer = input_.byte();
    const Duration age = std::chrono::milliseconds{input_.byte()};
    to.machine.udp.mark_waiting([&](Train& train) {
      train.traffic_class = outer;
      train.age = age;
    });
    to.machine.lane.set_queue_limit(std::chrono::milliseconds{input_.byte() % 4 * 5});
  }
  static void refuse(LaneMachine& machine, std::uint8_t how) {
    constexpr std::array errors{0, EAGAIN, ENOBUFS, EINVAL, ENETDOWN, ELOOP, EMSGSIZE};
    const int os_errno = errors[how / 8U % errors.size()];
    switch (how / 2U % 4) {
      case 0:
        return machine.tun.refuse_sends(os_errno);
      case 1:
        return machine.tun.refuse_trains(os_errno);
      case 2:
        return machine.udp.refuse_sends(os_errno);
      default:
        return machine.udp.refuse_after_segments(how / 8U % 4, os_errno);
    }
  }
  void answer(std::uint8_t argument) {
    read_reports();
    const auto verdict = static_cast<SynVerdict>(argument % 3);
    for (std::size_t i = 0; i <= argument / 16U && !held_.empty(); ++i) {
      const auto one = held_.begin() + argument % static_cast<long>(held_.size());
      TW_ASSERT(answers_.push({.held = *one, .verdict = verdict}));
      if (verdict == SynVerdict::refuse) ++ends_[0].not_of_the_other;
      held_.erase(one);
    }
    answers_.wake();
  }
  void read_reports() {
    for (SynReport syn; reports_->pop(syn);) {
      if (syn.is_held()) held_.push_back(syn.held);
    }
  }

  void settle_and_check() {
    pair_.settle();
    read_reports();
    for (End& end : ends_) take_from(end, end.machine.host);
    check_sums();
  }
  /// Takes what the host of `end` has got.
  void take_from(End& end, MemoryPort& host) {
    static PacketBatch batch{256, 65536};
    std::multiset<Bytes>& sent = ends_[&end == &ends_[0] ? 1 : 0].sent;
    for (batch.clear(); host.poll(batch) > 0; batch.clear()) {
      for (const Train& train : batch.trains()) {
        const auto view = GsoView::of(train.all(), train.vnet);
        TW_ASSERT(view);
        end.got_packets += view->segment_count();
        for (std::size_t i = 0; i < view->segment_count(); ++i) {
          Bytes packet(view->segment_length(i));
          view->segment(i, packet);
          const auto found = sent.find(kept_of(packet));
          if (found != sent.end()) {
            sent.erase(found);
          } else {
            ++unknown_[&end == &ends_[0] ? 0 : 1];
          }
        }
      }
    }
  }
  void check_sums() {
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      const End& end = ends_[i];
      const lane::LaneCounters& own = end.machine.lane.counters();
      const lane::LaneCounters& others = ends_[1 - i].machine.lane.counters();
      TW_ASSERT(own.to_wire.received.value() == end.sent_segments);
      TW_ASSERT(own.from_wire.received.value() ==
                others.to_wire.sent.value() + end.forged_segments);
      TW_ASSERT(own.from_wire.sent.value() == end.got_packets);
      // An ICMP error of its own, or a reset in place of a SYN that the other's relay refused.
      TW_ASSERT(unknown_[i] <= own.from_wire.generated.value() + end.not_of_the_other);
      const std::int64_t staged = own.to_wire.queued();
      TW_ASSERT(staged >= 0 && staged <= std::int64_t{LaneMachine::staged_packets});
    }
    TW_ASSERT(pair_.left.lane.counters().from_wire.queued() == 0);
    TW_ASSERT(pair_.right.lane.counters().from_wire.queued() ==
              static_cast<std::int64_t>(held_.size()));
  }

  FuzzInput input_;
  LanePair pair_;
  std::array<End, 2> ends_{End{pair_.left}, End{pair_.right}};
  std::array<std::uint64_t, 2> unknown_{};  // packets that each host got and the other did not send
  std::unique_ptr<WakingRing<SynReport>> reports_ = *WakingRing<SynReport>::open(reports_capacity);
  ContextRing<SynAnswer> answers_{pair_.right.context, held_syns_max};
  std::vector<std::uint32_t> held_;  // reported, and not answered
  std::uint32_t sequence_ = 1000;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const std::unique_ptr<crypto::AeadEngine> engine = crypto::make_openssl_engine();
  static const bool quiet = log::open(log::Level::error).has_value();
  TW_ASSERT(quiet);
  Run{bytes, size, *engine}.run();
  return 0;
}
