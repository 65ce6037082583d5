// link: tw_lane
// covers: lane/peers/held_syns.cc wire/message/syn_report.cc wire/ip/tcp_reset.cc
// Packets of any kind, reported and held, answered in any order, while the rings fill, are changed,
// and holding is turned on and off. What is reported is a SYN that a naive reader finds one too,
// and says what that reads; what is held is known to exactly one report, comes back byte for byte
// with its answer, once, and is counted until then; whatever is not held is left to go its way.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "exec/manual_context.h"
#include "fuzz_input.h"
#include "lane/peers/held_syns.h"
#include "packet_sums.h"
#include "wire/ip/tcp_reset.h"

namespace {

using namespace tw;  // NOLINT(google-build-using-namespace)
using lane::HeldSyns;
using testing::Bytes;

constexpr std::size_t most_steps = 128;
constexpr std::size_t reports_capacity = 2048;  // more than may be held
constexpr std::uint8_t syn_of_kinds = 0x02, kinds = 0x17;

/// The fields that RFC 9293 gives a packet whose IP header has been read, field by field.
struct NaiveSyn {
  std::uint16_t source_port, target_port;
  std::uint32_t sequence;
  std::size_t payload;
};

std::optional<NaiveSyn> naive_syn(const Bytes& packet, const IpPacketView& ip) {
  const auto transport = testing::transport_of(packet, ip);
  if (!transport || transport->protocol != 6) return {};
  const Bytes tcp(packet.begin() + static_cast<long>(transport->offset), packet.end());
  if (tcp.size() < 20 || (tcp[13] & kinds) != syn_of_kinds) return {};
  const std::size_t header = std::size_t{tcp[12]} / 16 * 4;
  if (header < 20 || header > tcp.size()) return {};
  if (!testing::is_right(packet)) return {};
  const auto word = [&](std::size_t at) { return std::uint32_t{tcp[at]} << 8U | tcp[at + 1]; };
  return NaiveSyn{static_cast<std::uint16_t>(word(0)), static_cast<std::uint16_t>(word(2)),
                  word(4) << 16U | word(6), tcp.size() - header};
}

class Run {
 public:
  Run(const std::uint8_t* bytes, std::size_t size) : input_(bytes, size) {
    syns_.use(reports_.get(), answers_.get());
    syns_.hold(true);
  }
  void run() {
    for (std::size_t step = 0; step < most_steps && !input_.empty(); ++step) one_step();
    while (read_report()) {
    }
    const std::size_t held = held_.size();
    TW_ASSERT(syns_.use(nullptr, nullptr) == held && syns_.held() == 0);
  }

 private:
  void one_step() {
    const std::uint8_t step = input_.byte(), argument = input_.byte();
    switch (step % 8) {
      case 0: {  // as it comes
        const ByteView bytes = input_.take(argument);
        return offer({bytes.begin(), bytes.end()}, 1);
      }
      case 1: {  // the same, its sums made right
        const ByteView bytes = input_.take(argument);
        Bytes packet(bytes.begin(), bytes.end());
        testing::make_right(packet);
        return offer(packet, 1);
      }
      case 2:
        return offer(built(argument), 1);
      case 3:
        return offer(built(argument), input_.byte() * std::size_t{8} + 1);
      case 4:
        for (unsigned i = 0; i <= argument; ++i) read_report();
        return;
      case 5:
        return answer(argument);
      case 6:
        holds_ = argument % 2 == 0;
        return syns_.hold(holds_);
      default:
        return change_rings(argument);
    }
  }

  Bytes built(std::uint8_t how) {
    test::Train train{.v6 = (how & 1U) != 0, .flags = syn_of_kinds};
    if ((how & 2U) != 0) train.ip_options = 8;
    train.tcp_options = how / 4U % 11 * 4;
    if (how >= 240) train.flags = input_.byte();
    if (how >= 200) train.payload = Bytes(how - 199U, 7);
    train.sequence = input_.word();
    return train.packet(0, 1, true);
  }

  void offer(const Bytes& packet, std::size_t times) {
    const auto ip = IpPacketView::of(packet);
    if (!ip || !syns_.reporting()) return;
    const Bytes inner(packet.begin(), packet.begin() + ip->total_length);
    const auto syn = naive_syn(inner, *ip);
    for (std::size_t i = 0; i < times; ++i) {
      const bool may_hold = answers_ && holds_ && syns_.held() < held_syns_max;
      const std::size_t before = syns_.held();
      const bool is_held = syns_.report(inner, *ip);
      TW_ASSERT(!is_held || (may_hold && syn && syn->payload == 0 &&
                             inner.size() <= HeldSyns::packet_bytes_max));
      TW_ASSERT(syns_.held() == before + (is_held ? 1 : 0));
      TW_ASSERT(syns_.held() <= held_syns_max);
      const bool is_reported = syn && unread_.size() < capacity_;
      TW_ASSERT(is_reported || !is_held);
      if (is_reported) unread_.push_back({inner, *syn, is_held});
    }
  }

  // False if none waits.
  bool read_report() {
    SynReport report;
    const bool came = reports_ && reports_->pop(report);
    TW_ASSERT(came == !unread_.empty());
    if (!came) return false;
    const Told told = std::move(unread_.front());
    unread_.pop_front();
    const auto ip = IpPacketView::of(told.packet);
    TW_ASSERT(report.client.address == IpAddress::from_bytes(ip->source));
    TW_ASSERT(report.target.address == IpAddress::from_bytes(ip->target));
    TW_ASSERT(report.client.port == told.syn.source_port);
    TW_ASSERT(report.target.port == told.syn.target_port);
    TW_ASSERT(report.sequence == told.syn.sequence);
    TW_ASSERT(report.payload_bytes == told.syn.payload);
    TW_ASSERT(report.is_held() == told.is_held);
    if (told.is_held) TW_ASSERT(held_.emplace(report.held, told.packet).second);
    return true;
  }

  // Answers some of the SYNs that have been read, in whatever order their table has them.
  void answer(std::uint8_t argument) {
    std::vector<std::pair<std::uint32_t, SynVerdict>> sent;
    for (std::size_t i = 0; i <= argument / 4U && !held_.empty() && answers_; ++i) {
      const auto one = std::next(held_.begin(), static_cast<long>(argument % held_.size()));
      const auto verdict = static_cast<SynVerdict>((argument + i) % 3);
      sent.emplace_back(one->first, verdict);
      answered_.emplace(*one);
      held_.erase(one);
      TW_ASSERT(answers_->push({.held = sent.back().first, .verdict = verdict}));
    }
    for (const auto& [number, verdict] : sent) {
      const std::size_t before = syns_.held();
      HeldSyns::Answered got;
      TW_ASSERT(syns_.has_answers() && syns_.next(got));
      TW_ASSERT(got.verdict == verdict && syns_.held() == before - 1);
      const auto packet = answered_.extract(number);
      TW_ASSERT(std::ranges::equal(got.packet, packet.mapped()));
      // Refused, it must have an answer.
      std::array<std::uint8_t, tcp_reset_max> reset;
      TW_ASSERT(write_tcp_reset(got.packet, reset) > 0);
    }
    HeldSyns::Answered got;
    TW_ASSERT(!syns_.next(got));
  }

  void change_rings(std::uint8_t argument) {
    while (read_report()) {
    }
    const std::size_t held = held_.size();
    TW_ASSERT(syns_.held() == held);
    capacity_ = argument < 128 ? reports_capacity : 1U << argument % 8U;
    reports_ = argument % 16 == 0 ? nullptr : *WakingRing<SynReport>::open(capacity_);
    answers_ = argument % 4 == 1 ? nullptr : new_answers();
    TW_ASSERT(syns_.use(reports_.get(), answers_.get()) == held);
    TW_ASSERT(syns_.held() == 0 && syns_.reporting() == (reports_ != nullptr));
    held_.clear();
  }
  std::unique_ptr<ContextRing<SynAnswer>> new_answers() {
    return std::make_unique<ContextRing<SynAnswer>>(context_, held_syns_max);
  }

  struct Told {
    Bytes packet;
    NaiveSyn syn;
    bool is_held;
  };
  testing::FuzzInput input_;
  ManualClock clock_;
  ManualContext context_{ContextId{0}, clock_};
  std::size_t capacity_ = reports_capacity;
  std::unique_ptr<WakingRing<SynReport>> reports_ = *WakingRing<SynReport>::open(reports_capacity);
  std::unique_ptr<ContextRing<SynAnswer>> answers_ = new_answers();
  HeldSyns syns_;
  bool holds_ = true;
  std::deque<Told> unread_;
  std::unordered_map<std::uint32_t, Bytes> held_, answered_;  // by the number in their reports
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  Run{bytes, size}.run();
  return 0;
}
