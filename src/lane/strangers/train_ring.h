// A bounded ring of trains between two workers, by value: one producing, one consuming. A train's
// bytes lie behind what is said of it, so that a ring of a megabyte holds sixteen trains of 64 KB
// or some thousands of short ones. Segments that come one by one join while they are one train.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>

#include "base/assert.h"
#include "port/packet_batch.h"
#include "port/train.h"

namespace tw::lane {

/// Allocates its bytes once, untouched: memory that no train has reached costs nothing. Nothing is
/// seen by the consumer before publish().
class TrainRing {
 public:
  /// The longest train.
  static constexpr std::size_t train_bytes = 65'536;

  /// `capacity`: bytes, room for some trains at least.
  explicit TrainRing(std::size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), bytes_(new std::uint8_t[mask_ + 1]) {
    TW_ASSERT(capacity >= 2 * (train_bytes + sizeof(Record)));
  }

  /// Producer only: copies `segment`, of `train`, behind all that was added. It joins the segment
  /// before if that was the last one added, was of the same train, and was as long as its segments
  /// are. False, and nothing done, if there is no room, or it is too long for any ring.
  bool add(const Train& train, ByteView segment) noexcept {
    if (joins(train, segment) && extend(segment)) return true;
    return begin(train, segment);
  }
  /// Producer only: what was added is the consumer's, and no further segment joins it. False if
  /// that was nothing.
  bool publish() noexcept {
    close();
    if (end_ == head_.load(std::memory_order_relaxed)) return false;
    head_.store(end_, std::memory_order_release);
    return true;
  }

  /// Consumer only: appends as many trains as the batch has room for.
  void poll(PacketBatch& batch) noexcept {
    std::size_t at = tail_.load(std::memory_order_relaxed);
    const std::size_t head = head_.load(std::memory_order_acquire);
    while (at != head && batch.room() > 0) {
      const Record record = read(at);
      if (record.train.length == skipped) {
        at += mask_ + 1 - (at & mask_);
        continue;
      }
      const ByteSpan into = batch.buffer();
      TW_ASSERT(record.train.length <= into.size());
      std::memcpy(into.data(), place(at) + sizeof(Record), record.train.length);
      Train train = record.train;
      train.bytes = into.data();
      train.passed_on = true;
      batch.append(train);
      at += whole(record.train.length);
    }
    tail_.store(at, std::memory_order_release);
  }
  /// Consumer: a reason not to sleep. Anybody else: a hint.
  bool empty() const noexcept {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
  }

 private:
  struct Record {
    Train train;
  };
  static_assert(std::is_trivially_copyable_v<Record>);
  /// Instead of a length: the next train lies at the front.
  static constexpr std::uint32_t skipped = std::numeric_limits<std::uint32_t>::max();
  /// Records begin at multiples of a record's own size, so that one always fits before the end.
  static constexpr std::size_t step = std::bit_ceil(sizeof(Record));
  static constexpr std::size_t whole(std::size_t length) noexcept {
    return (sizeof(Record) + length + step - 1) / step * step;
  }

  std::uint8_t* place(std::size_t at) const noexcept { return bytes_.get() + (at & mask_); }
  Record read(std::size_t at) const noexcept {
    Record record;
    std::memcpy(&record, place(at), sizeof record);
    return record;
  }
  void write(std::size_t at, const Train& train) noexcept {
    const Record record{train};
    std::memcpy(place(at), &record, sizeof record);
  }
  bool has_room(std::size_t end) noexcept {
    if (end - cached_tail_ <= mask_ + 1) return true;
    cached_tail_ = tail_.load(std::memory_order_acquire);
    return end - cached_tail_ <= mask_ + 1;
  }
  bool joins(const Train& train, ByteView segment) const noexcept {
    return open_ == &train && opened_.length % opened_.segment_size == 0 &&
           segment.size() <= opened_.segment_size && !segment.empty() &&
           opened_.length + segment.size() <= train_bytes;
  }
  void close() noexcept {
    if (open_ != nullptr) write(opened_at_, opened_);
    open_ = nullptr;
  }
  bool extend(ByteView segment) noexcept {
    const std::size_t length = opened_.length + segment.size();
    const std::size_t end = opened_at_ + whole(length);
    if ((opened_at_ & mask_) + whole(length) > mask_ + 1 || !has_room(end)) return false;
    std::memcpy(place(opened_at_) + sizeof(Record) + opened_.length, segment.data(),
                segment.size());
    opened_.length = static_cast<std::uint32_t>(length);
    end_ = end;
    return true;
  }
  bool begin(const Train& train, ByteView segment) noexcept {
    const std::size_t size = whole(segment.size());
    const std::size_t left = mask_ + 1 - (end_ & mask_);
    const std::size_t at = size > left ? end_ + left : end_;
    if (segment.empty() || segment.size() > train_bytes || !has_room(at + size)) return false;
    close();
    opened_ = train;
    opened_.bytes = nullptr;
    if (at != end_) {
      opened_.length = skipped;
      write(end_, opened_);
    }
    opened_.length = opened_.segment_size = static_cast<std::uint32_t>(segment.size());
    std::memcpy(place(at) + sizeof(Record), segment.data(), segment.size());
    open_ = &train;
    opened_at_ = at;
    end_ = at + size;
    return true;
  }

  const std::size_t mask_;
  const std::unique_ptr<std::uint8_t[]> bytes_;
  alignas(64) std::atomic<std::size_t> head_{0};  // written by the producer, as all up to tail_
  std::size_t end_ = 0;                           // of what was added
  std::size_t cached_tail_ = 0;
  const Train* open_ = nullptr;  // the train whose segments may join; compared only
  Train opened_;                 // and what close() writes at opened_at_
  std::size_t opened_at_ = 0;
  alignas(64) std::atomic<std::size_t> tail_{0};  // written by the consumer
};

}  // namespace tw::lane
