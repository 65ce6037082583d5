#include "lane/peers/held_syns.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/assert.h"

namespace tw::lane {

std::size_t HeldSyns::use(WakingRing<SynReport>* reports, ContextRing<SynAnswer>* answers,
                          std::size_t reporter) noexcept {
  const std::size_t forgotten = held();
  reports_ = reports;
  answers_ = answers;
  reporter_ = reporter;
  free_all();
  return forgotten;
}

void HeldSyns::hold(bool hold) {
  hold_ = hold;
  if (!hold || !slots_.empty()) return;
  slots_.resize(held_syns_max);
  free_.reserve(held_syns_max);
  free_all();
}

void HeldSyns::free_all() noexcept {
  free_.clear();
  for (std::size_t slot = slots_.size(); slot > 0; --slot) {
    slots_[slot - 1].length = 0;
    free_.push_back(static_cast<std::uint32_t>(slot - 1));
  }
}

bool HeldSyns::report(ByteView packet, const IpPacketView& ip) noexcept {
  std::optional<SynReport> syn = SynReport::of(packet, ip);
  if (!syn) return false;
  // One with data is for a server that is asked with data in its turn (RFC 7413): it cannot wait.
  const std::uint32_t held = syn->payload_bytes == 0 ? keep(packet) : SynReport::not_held;
  if (held != SynReport::not_held) syn->held = held_number(reporter_, held);
  if (reports_->push(*std::move(syn))) return held != SynReport::not_held;
  // Nothing is lost: that connection begins when its handshake is complete.
  if (held != SynReport::not_held) {
    slots_[held].length = 0;
    free_.push_back(held);
  }
  return false;
}

std::uint32_t HeldSyns::keep(ByteView packet) noexcept {
  if (!hold_ || answers_ == nullptr || free_.empty() || packet.size() > packet_bytes_max) {
    return SynReport::not_held;
  }
  const std::uint32_t number = free_.back();
  free_.pop_back();
  Slot& slot = slots_[number];
  slot.length = static_cast<std::uint8_t>(packet.size());
  std::ranges::copy(packet, slot.bytes.begin());
  return number;
}

bool HeldSyns::next(Answered& answered) noexcept {
  SynAnswer answer;
  if (answers_ == nullptr || !answers_->pop(answer)) return false;
  const std::uint32_t held = answer.held % held_syns_max;
  TW_ASSERT(held < slots_.size() && slots_[held].length > 0);
  Slot& slot = slots_[held];
  answered = {.verdict = answer.verdict,
              .packet = ByteSpan{slot.bytes}.first(std::exchange(slot.length, 0))};
  free_.push_back(held);
  return true;
}

}  // namespace tw::lane
