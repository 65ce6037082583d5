// Child processes with an owner: started in a chosen network namespace, in a process group of their
// own (a Ctrl-C on the terminal is ours to handle), ended when the owner is destroyed, and told to
// end by the kernel if we die without a word. What they print goes to memory, not to files.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "lab/bed/interrupt.h"

namespace tw::lab {

struct Command {
  std::vector<std::string> argv;              ///< argv[0] is looked up as find_program() does
  int netns_fd = -1;                          ///< network namespace to run in; -1: ours
  std::string input = {};                     ///< the text that it reads from stdin
  std::vector<std::string> environment = {};  ///< "NAME=value", beside our own
  int death_signal = SIGKILL;                 ///< sent to it if our main thread dies

  /// As a person would type it.
  std::string text() const;
};

/// The absolute path of a program, searched for in PATH and then where daemons live (/usr/sbin, …);
/// empty if there is none. A name with a slash is returned if it can be executed.
std::string find_program(const std::string& name);

class Process {
 public:
  /// Call from the main thread only: the kernel sends the death signal when the *thread* that
  /// forked ends. Fails if the program does not exist or cannot be executed.
  static Result<Process> start(const Command& command);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();  ///< stop()

  pid_t pid() const noexcept { return pid_; }
  bool running() noexcept;
  /// The exit code (128 + n if signal n killed it). An error after `timeout` or when interrupted;
  /// it runs on then.
  Result<int> wait(Interrupt& interrupt, Duration timeout);
  /// A program that drains on its first SIGTERM is asked to hurry by a second one after this.
  static constexpr std::chrono::milliseconds patience{500};
  /// SIGTERM to its group, again after `patience`, SIGKILL after `grace` more; returns when it has
  /// gone.
  void stop(Duration grace = std::chrono::seconds{5}) noexcept;
  /// Returns everything that it has printed so far.
  std::string out() const;
  std::string err() const;

 private:
  Process(pid_t pid, UniqueFd pidfd, UniqueFd out, UniqueFd err, std::string name);
  void reap(int status) noexcept;
  bool ends_within(Duration time) noexcept;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd out_;
  UniqueFd err_;
  std::string name_;
  int exit_code_ = -1;  ///< -1: not reaped
};

struct Outcome {
  int exit_code = 0;
  std::string out;
  std::string err;
};

/// Runs a command to its end. An exit code other than 0 is an outcome, not an error.
Result<Outcome> run(const Command& command, Interrupt& interrupt,
                    Duration timeout = std::chrono::seconds{30});
/// Runs a command that must succeed and returns what it printed. The error carries its last words.
Result<std::string> run_checked(const Command& command, Interrupt& interrupt,
                                Duration timeout = std::chrono::seconds{30});

}  // namespace tw::lab
