// One direction of a relayed connection: bytes from a source socket to a sink socket, byte-exact,
// with the source's end of file passed on as FIN once everything before it has been handed to the
// kernel. Few bytes are copied, which is two system calls; many go through a pipe. Backpressure is
// by construction: the source is read only when all that was read before has gone.
//
// A new sink may turn out to be dead. Until it has shown that it lives, the first bytes are sent to
// it from a copy and stay in the source's receive queue, so that another sink can have them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "relay/stream/first_bytes.h"
#include "relay/stream/splice_pipe.h"

namespace tw::relay {

/// The event that a direction waits for after it has been pumped.
enum class Flow : std::uint8_t {
  waiting,  ///< the source to have bytes, or the sink to have room
  more,     ///< its turn to come again: the quantum is spent
  gather,   ///< the same, a little later: much is coming, in small pieces
  no_pipe,  ///< a pipe: none could be had
  ended,    ///< nothing: end of file passed on
  broken,   ///< nothing: one of its sockets failed, with os_errno()
};

class Direction {
 public:
  /// Bytes that are copied at once. A read that finds more is followed by splice, until there is
  /// less.
  static constexpr std::size_t most_copied = 16U << 10U;
  /// Bytes that are kept back at most: the first flight of a client with an initial window of ten
  /// segments. With more than these the direction goes on, and cannot go to another sink.
  static constexpr std::size_t most_retained = most_copied;
  /// After so many bytes without one from the other side it is a transfer, and no conversation.
  static constexpr std::size_t long_run = 64U << 10U;
  /// While is_cautious() so much is taken at once.
  static constexpr std::size_t cautious_piece = 4U << 10U;
  /// A piece that is worth its system calls.
  static constexpr std::size_t large_piece = 32U << 10U;

  /// A new sink, and the bytes that go to it before all others (the PROXY header of a leg). Only
  /// while can_restart(): what the sink before it was sent is sent again. `retain`: this one may
  /// have to be replaced as well, until confirm().
  /// `apart`: the first byte has a segment of its own.
  void begin_sink(const FirstBytes& prefix, bool retain = false, bool apart = false) {
    first_ = prefix;
    apart_ = apart;
    sink_ready_ = false;
    source_ready_ |= retained_ > 0;
    bytes_ -= retained_;
    retained_ = 0;
    retaining_ = retain;
  }
  /// Returns true if a new sink would miss nothing.
  bool can_restart() const noexcept { return bytes_ == retained_ && !ended_; }
  /// The sink lives: what it was sent is taken from `source` for good. False, with os_errno(), if
  /// that has failed meanwhile.
  bool confirm(int source) noexcept;

  /// Bytes for the sink before the first one of the source, of which none may have been taken yet,
  /// and behind those that were prepended before.
  /// `may_wait`: they are sent with the source's first ones, unless others are prepended before.
  void prepend(const FirstBytes& bytes, bool may_wait = false) noexcept {
    first_.append(bytes.view());
    first_may_wait_ = may_wait;
  }
  /// Returns the bytes that were given to begin_sink(), before any of them has been sent.
  ByteSpan prefix() noexcept { return first_.span(); }

  /// Edges, as epoll reports them.
  void source_ready() noexcept { source_ready_ = true; }
  void sink_ready() noexcept { sink_ready_ = true; }
  /// Nothing will follow what the source holds (EPOLLRDHUP).
  void source_closing() noexcept { source_ready_ = source_closing_ = true; }
  /// The source has urgent data (EPOLLPRI).
  void source_urgent() noexcept { source_ready_ = source_urgent_ = true; }

  /// The other direction has had bytes, or there was a pause: what comes now may be awaited.
  void interrupt_run() noexcept { run_ = 0; }

  /// The reader of the sink is not known to be there: little is read ahead of the sink.
  void set_cautious(bool cautious) noexcept { cautious_ = cautious; }

  bool is_transfer() const noexcept { return run_ >= long_run; }

  /// Sends the prefix alone, while there is no source yet: waiting, or broken.
  Flow push_prefix(int sink) noexcept;
  /// Moves bytes until one side blocks or about `quantum` bytes have gone. Never blocks. A pipe is
  /// taken from `pipes` when there is much to read, and given back as soon as it is empty. `last`:
  /// the sink will be closed, in order, as soon as this direction has ended; that is its FIN.
  Flow pump(int source, int sink, PipePool& pipes, std::size_t quantum, bool last = false) noexcept;

  /// Bytes, or the end, wait in the source, as far as is known.
  bool has_source() const noexcept { return source_ready_; }
  /// Taken from the source for the sink so far, without the prefix.
  std::uint64_t bytes() const noexcept { return bytes_; }
  bool ended() const noexcept { return ended_; }
  bool holds_pipe() const noexcept { return pipe_.has_value(); }
  int os_errno() const noexcept { return os_errno_; }
  /// Flow::broken: it was the sink.
  bool sink_broke() const noexcept { return sink_broke_; }

 private:
  /// The end of one attempt to move bytes; `done`: the next kind of attempt may follow.
  enum class Move : std::uint8_t { done, blocked, no_pipe, broken };
  Move send_first(int source, int sink) noexcept;
  Move send_retained(int source, int sink) noexcept;
  Move copy_some(int source, int sink, std::size_t& taken) noexcept;
  Move empty_pipe(int sink, PipePool& pipes) noexcept;
  Move fill_pipe(int source, PipePool& pipes, std::size_t& taken) noexcept;
  Move copy_to_pipe(int source, bool& at_end) noexcept;
  bool should_gather(std::size_t piece) noexcept;
  Move fail(int os_errno) noexcept;
  Move fail_sink(int os_errno) noexcept;

  // Goes before all that is still in the source: first what begins the connection, then what was
  // copied and found no room.
  FirstBytes first_;
  std::vector<std::uint8_t> left_;
  std::optional<SplicePipe> pipe_;
  std::size_t in_pipe_ = 0;
  std::size_t retained_ = 0;  // sent, and still in the source
  std::uint64_t bytes_ = 0;
  std::size_t run_ = 0;  // taken since interrupt_run()
  int os_errno_ = 0;
  bool source_ready_ = false, sink_ready_ = false;
  bool source_ended_ = false, source_urgent_ = false, source_closing_ = false;
  bool first_may_wait_ = false;
  bool retaining_ = false, sink_broke_ = false;
  bool filled_ = false;  // the last read was full: more is there
  bool cautious_ = false;
  bool apart_ = false;
  bool ended_ = false;
};

}  // namespace tw::relay
