// Lines of text to a descriptor that may refuse them: a full disk, a pipe nobody reads. Whole lines
// or nothing that could be taken for one; what could not be written is counted, and said as soon as
// there is room again.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace tw {

/// Does not own `fd`. One thread at a time, but for lost(). The process must ignore SIGPIPE if `fd`
/// can be a pipe.
class LineWriter {
 public:
  explicit LineWriter(int fd) noexcept : fd_(fd) {}

  /// `line` ends with a newline. Never waits for a non-blocking descriptor; never fails.
  void write(std::string_view line) noexcept;
  /// Lines that are not there, since the start.
  std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }
  bool is_terminal() const noexcept;

 private:
  bool put(std::string_view text) noexcept;

  int fd_;
  std::atomic<std::uint64_t> lost_{0};
  std::uint64_t said_ = 0;  // of lost_
  bool torn_ = false;       // the last line broke off in its middle
};

}  // namespace tw
