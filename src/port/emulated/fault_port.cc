#include "port/emulated/fault_port.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "port/emulated/chance.h"

namespace tw {

FaultPort::FaultPort(Port& inner, FaultSettings settings, std::size_t buffer_bytes)
    : inner_(inner),
      settings_(settings),
      random_(settings.seed),
      batch_(batch_trains, buffer_bytes) {}

std::size_t FaultPort::poll(PacketBatch& batch) noexcept {
  if (ready_.empty()) intake();
  std::size_t count = 0;
  for (; !ready_.empty() && batch.room() > 0; ++count) {
    Owned& next = ready_.front();
    TW_ASSERT(next.bytes.size() <= batch.buffer_bytes());
    next.train.bytes = batch.buffer().data();
    std::ranges::copy(next.bytes, next.train.bytes);
    batch.append(next.train);
    ready_.pop_front();
  }
  return count;
}

void FaultPort::intake() noexcept {
  batch_.clear();
  // With nothing behind it, the one held back goes on: swapped with nobody, but not lost.
  if (inner_.poll(batch_) == 0 && held_) {
    ready_.push_back(std::move(*held_));
    held_.reset();
  }
  for (const Train& train : batch_.trains()) {
    if (draw(random_, settings_.drop)) {
      counters_.dropped.add();
      continue;
    }
    const ByteSpan bytes = train.all();
    Owned owned{train, {bytes.begin(), bytes.end()}};
    if (draw(random_, settings_.corrupt) && !owned.bytes.empty()) {
      const std::uint64_t bit = random_.next() % (owned.bytes.size() * 8);
      owned.bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      counters_.corrupted.add();
    }
    const bool twice = draw(random_, settings_.duplicate);
    if (draw(random_, settings_.reorder) && !held_) {
      counters_.reordered.add();
      held_ = std::move(owned);
      continue;
    }
    if (twice) {
      counters_.duplicated.add();
      ready_.push_back(owned);
    }
    ready_.push_back(std::move(owned));
    if (held_) {
      ready_.push_back(std::move(*held_));
      held_.reset();
    }
  }
}

}  // namespace tw
