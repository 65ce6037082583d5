// "Stop, please" as a file descriptor. An experiment has to undo what it did to the machine
// whatever moment it is told to stop at, so the signals are blocked and waited for beside
// everything else, and the way out is the ordinary one: an error that unwinds.
#pragma once

#include <csignal>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"

namespace tw::lab {

/// Holds SIGINT, SIGTERM and SIGHUP back from this thread and from those it starts, until
/// destroyed. Make it before any thread. Once it has fired it stays fired; further signals are
/// swallowed.
class Interrupt {
 public:
  static Result<Interrupt> watch();
  Interrupt(Interrupt&& other) noexcept;
  Interrupt& operator=(Interrupt&&) = delete;
  ~Interrupt();

  /// Readable when a signal has come. Wait on it, but leave the reading to fired().
  int fd() const noexcept { return fd_.get(); }
  bool fired() noexcept;
  /// Waits `duration`, or less if a signal comes: then false.
  bool pause(Duration duration) noexcept;
  /// Waits until `fd` is readable. False after `timeout`, or when a signal comes.
  bool wait_readable(int fd, Duration timeout) noexcept;

 private:
  Interrupt(UniqueFd fd, sigset_t before) noexcept : fd_(std::move(fd)), before_(before) {}
  UniqueFd fd_;
  sigset_t before_;
  bool fired_ = false;
};

/// The error that an interrupted wait returns.
std::unexpected<Error> interrupted();

}  // namespace tw::lab
