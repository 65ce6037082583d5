#include "port/emulated/emulated_port.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "port/emulated/chance.h"
#include "port/segments.h"

namespace tw {
namespace {

// Reading more at a time would make what is due wait: a train of 64 KB costs some 10 us.
constexpr std::size_t arrivals_per_poll = 16;
constexpr std::size_t arrival_bytes = 65'536;
constexpr std::uint64_t assumed_rate_bps = 10'000'000'000;  // of a link without a limit
constexpr std::uint64_t bit_ns_per_byte = 8'000'000'000;
constexpr std::size_t least_memory_bytes = std::size_t{1} << 20U;

// In floating point: the products may exceed 64 bits, and a byte more or less does not matter.
Duration time_of(std::size_t queue_bytes, std::uint64_t rate_bps) noexcept {
  const double ns = static_cast<double>(queue_bytes) * static_cast<double>(bit_ns_per_byte) /
                    static_cast<double>(rate_bps);
  return Duration{static_cast<Duration::rep>(std::min(ns, 1e18))};
}

std::size_t memory_of(const LinkSettings& settings) noexcept {
  const std::uint64_t rate = settings.rate_bps == 0
                                 ? assumed_rate_bps
                                 : std::max(settings.rate_bps, settings.most_rate_bps);
  const double under_way = static_cast<double>((settings.delay + settings.most_hold).count()) *
                           static_cast<double>(rate) / static_cast<double>(bit_ns_per_byte);
  const double wanted = 2 * (under_way + static_cast<double>(settings.queue_bytes));
  return least_memory_bytes +
         static_cast<std::size_t>(std::min(
             wanted, static_cast<double>(EmulatedPort::max_memory_bytes - least_memory_bytes)));
}

}  // namespace

/// In front of each train's bytes in the queue.
struct EmulatedPort::Record {
  Instant release;
  Train train;
  std::uint64_t segments;
};

EmulatedPort::EmulatedPort(Port& inner, const LinkSettings& settings, const Clock& clock)
    : inner_(inner),
      settings_(settings),
      clock_(clock),
      random_(settings.seed),
      rate_bps_(settings.rate_bps),
      arrivals_(arrivals_per_poll, arrival_bytes),
      fifo_(memory_of(settings)) {
  static_assert(std::is_trivially_copyable_v<Record>);
}

std::size_t EmulatedPort::poll(PacketBatch& batch) noexcept {
  const Instant now = clock_.now();
  // First what has waited, so that taking in does not make it late; then again, as on a link
  // without delay what came may be due at once.
  const std::size_t due = release(now, batch);
  intake(now);
  return due + release(now, batch);
}

void EmulatedPort::intake(Instant now) noexcept {
  arrivals_.clear();
  inner_.poll(arrivals_);
  for (const Train& train : arrivals_.trains()) admit(train, now);
}

// Gives each segment its time on the line, and holds each run of neighbours that survive.
void EmulatedPort::admit(const Train& train, Instant now) noexcept {
  const TrainSegments segments{train};
  const std::size_t count = segments.count();
  counters_.in.add(count);
  std::size_t run = 0;  // begin of the survivors not held yet
  for (std::size_t i = 0; i < count; ++i) {
    const bool lost = draw(random_, settings_.loss);
    const bool sent = transmit(segments.wire_bytes(i), now);
    if (sent && !lost) continue;
    // Held before the line's time moves on: a run is complete when its own last segment is.
    if (i > run) hold(segments, run, i - run, now);
    run = i + 1;
    (sent ? counters_.lost : counters_.queue_dropped).add();
  }
  if (count > run) hold(segments, run, count - run, now);
}

// False if the queue is full. A line that stands idle takes a segment of any size.
bool EmulatedPort::transmit(std::size_t bytes, Instant now) noexcept {
  const std::uint64_t rate_bps = rate_bps_.load(std::memory_order_relaxed);
  if (rate_bps == 0) {
    line_free_ = now;
    return true;
  }
  if (line_free_ < now) {
    line_free_ = now;
    remainder_ = 0;
  }
  const std::uint64_t work = bytes * bit_ns_per_byte + remainder_;
  const Duration time{static_cast<Duration::rep>(work / rate_bps)};
  const Duration backlog = line_free_ - now;
  if (backlog > Duration::zero() && backlog + time > time_of(settings_.queue_bytes, rate_bps)) {
    return false;
  }
  line_free_ = line_free_ + time;
  remainder_ = work % rate_bps;
  return true;
}

void EmulatedPort::hold(const TrainSegments& segments, std::size_t first, std::size_t count,
                        Instant now) noexcept {
  const std::size_t length = segments.slice_length(first, count);
  const ByteSpan space = fifo_.push(sizeof(Record) + length);
  if (space.empty()) {
    counters_.queue_dropped.add(count);
    return;
  }
  const Train train = segments.slice(first, count, space.subspan(sizeof(Record)));
  const Record record{arrival(now), train, count};
  std::memcpy(space.data(), &record, sizeof record);
}

// Never before that of what came earlier. A policer's bucket is the queue of a line for which
// nobody waits: it is as full as the line is busy.
Instant EmulatedPort::arrival(Instant now) noexcept {
  const Instant arrives = (settings_.polices ? now : line_free_) + settings_.delay;
  if (settings_.most_hold == Duration::zero()) return arrives;
  // Lumps while nothing came are passed over, all but the last.
  lump_ = std::max(lump_, arrives - settings_.most_hold);
  const auto range =
      static_cast<std::uint64_t>((settings_.most_hold - settings_.least_hold).count()) + 1;
  while (lump_ < arrives) {
    lump_ =
        lump_ + settings_.least_hold + Duration{static_cast<Duration::rep>(random_.next() % range)};
  }
  return lump_;
}

std::size_t EmulatedPort::release(Instant now, PacketBatch& batch) noexcept {
  std::size_t released = 0;
  while (!fifo_.empty() && batch.room() > 0) {
    const ByteSpan front = fifo_.front();
    Record record;
    std::memcpy(&record, front.data(), sizeof record);
    if (record.release > now) break;
    const ByteSpan buffer = batch.buffer();
    if (record.train.length > buffer.size()) {
      counters_.too_large.add(record.segments);
    } else {
      std::memcpy(buffer.data(), front.data() + sizeof record, record.train.length);
      record.train.bytes = buffer.data();
      batch.append(record.train);
      counters_.out.add(record.segments);
      ++released;
    }
    fifo_.pop();
  }
  return released;
}

Instant EmulatedPort::next_release() const noexcept {
  if (fifo_.empty()) return inner_.next_release();
  Record record;
  std::memcpy(&record, fifo_.front().data(), sizeof record);
  return std::min(record.release, inner_.next_release());
}

std::uint64_t EmulatedPort::queued() const noexcept {
  return counters_.in.value() - counters_.out.value() - counters_.lost.value() -
         counters_.queue_dropped.value() - counters_.too_large.value();
}

}  // namespace tw
