// Lines on their way to a file or to the program's log, written by a thread of its own: who appends
// never waits, neither for a disk nor for a pipe that nobody reads. Between the two stands a buffer
// of fixed size; what finds no room is lost, and counted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/file/line_writer.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tw::relay {

class LineSpool {
 public:
  /// Lines go to the program's log (at `info`) until send_to() names a file. Takes twice
  /// `capacity` bytes, at once.
  static Result<std::unique_ptr<LineSpool>> start(std::size_t capacity);
  /// Writes what is there, and ends the thread.
  ~LineSpool();

  /// `line` has no newline, and no control character. Never allocates; holds a lock for a copy, and
  /// wakes the thread only if it has had nothing to do. False: no room, the line is lost.
  bool append(std::string_view line) noexcept;

  /// From the next line on: to `file`, which is opened anew each time this is called (so that a log
  /// that was renamed is left behind); empty: to the program's log. A file that cannot be opened is
  /// said in the program's log, and lines go on to where they went.
  void send_to(const std::string& file);

  /// Lines that found no room, here or on the disk. Any thread.
  std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

 private:
  explicit LineSpool(std::size_t capacity);
  void run();
  void open(const std::string& file);
  void write(std::string_view lines) noexcept;

  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string filling_;  // lines, each with its newline
  std::string wanted_file_;
  bool file_changed_ = false, parked_ = false, stopped_ = false;
  std::atomic<std::uint64_t> lost_{0};

  // The thread's own.
  std::string writing_;
  UniqueFd file_;
  std::unique_ptr<LineWriter> writer_;  // none: the program's log
  std::thread thread_;
};

}  // namespace tw::relay
