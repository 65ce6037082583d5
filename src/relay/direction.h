// One direction of a relayed connection: bytes from a source socket through a pipe to a sink
// socket, byte-exact, with the source's end of file passed on as FIN once everything before it has
// been handed to the kernel. Backpressure is by construction: the source is read only into an empty
// pipe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "relay/splice_pipe.h"

namespace tw::relay {

/// What a direction waits for after it has been pumped.
enum class Flow : std::uint8_t {
  waiting,  ///< the source to have bytes, or the sink to have room
  more,     ///< its turn to come again: the quantum is spent
  no_pipe,  ///< a pipe: none could be had
  ended,    ///< nothing: end of file passed on
  broken,   ///< nothing: one of its sockets failed, with os_errno()
};

class Direction {
 public:
  /// Bytes that go to a new sink before all others (the PROXY header of a leg). Before the first
  /// byte has gone to the sink before it.
  void begin_sink(ByteView prefix) {
    prefix_.assign(prefix.begin(), prefix.end());
    sink_ready_ = false;
  }

  /// Edges, as epoll reports them.
  void source_ready() noexcept { source_ready_ = true; }
  void sink_ready() noexcept { sink_ready_ = true; }
  /// The source has urgent data (EPOLLPRI).
  void source_urgent() noexcept { source_ready_ = source_urgent_ = true; }

  /// Sends the prefix alone, while there is no source yet: waiting, or broken.
  Flow push_prefix(int sink) noexcept;
  /// Moves bytes until one side blocks or about `quantum` bytes have gone. Never blocks. A pipe is
  /// taken from `pipes` when there is something to read, and given back as soon as it is empty.
  Flow pump(int source, int sink, PipePool& pipes, std::size_t quantum) noexcept;

  /// Handed to the sink's kernel buffer so far, without the prefix.
  std::uint64_t bytes() const noexcept { return bytes_; }
  bool ended() const noexcept { return ended_; }
  bool holds_pipe() const noexcept { return pipe_.has_value(); }
  int os_errno() const noexcept { return os_errno_; }

 private:
  enum class Turn : std::uint8_t { done, blocked, no_pipe, broken };
  Turn send_prefix(int source, int sink) noexcept;
  Turn empty_pipe(int sink, PipePool& pipes) noexcept;
  Turn fill_pipe(int source, PipePool& pipes, std::size_t& taken) noexcept;
  Turn copy_to_pipe(int source, bool& at_end) noexcept;
  Turn fail(int os_errno) noexcept;

  std::vector<std::uint8_t> prefix_;
  std::optional<SplicePipe> pipe_;
  std::size_t in_pipe_ = 0;
  std::uint64_t bytes_ = 0;
  int os_errno_ = 0;
  bool source_ready_ = false, sink_ready_ = false;
  bool source_ended_ = false, source_urgent_ = false;
  bool ended_ = false;
};

}  // namespace tw::relay
