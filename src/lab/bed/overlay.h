// Programs on the hosts: the two PoPs, each a `thalweg run` of this same program, and in front of
// them a client that is nobody's special case: Debian's wireguard-go, set up with `wg`, its receive
// buffers as large as its newer versions have them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lab/bed/process.h"
#include "lab/bed/scratch.h"
#include "lab/bed/topology.h"
#include "lab/demo/demo_config.h"

namespace tw::lab {

class Overlay {
 public:
  static Result<Overlay> start(const Topology& topology, const OverlayShape& shape,
                               const ScratchFolder& scratch, Interrupt& interrupt);
  Overlay(Overlay&&) noexcept = default;
  Overlay& operator=(Overlay&&) = delete;
  ~Overlay();  ///< ends the client, then the PoPs: they undo what they changed

  /// An error with the last words of whichever program has ended by itself.
  Result<void> check();
  const std::vector<std::string>& commands() const noexcept { return commands_; }
  /// The programs of R_S and R_C.
  std::vector<pid_t> pops() const { return {processes_[0].pid(), processes_[1].pid()}; }

 private:
  explicit Overlay(PopPair pair) : pair_(std::move(pair)) {}
  Result<void> start_pop(const Namespace& host, const std::string& name, const std::string& config,
                         const Identity& identity, const ScratchFolder& scratch);
  Result<void> set_pop_congestion(const Namespace& rc, Interrupt& interrupt);
  Result<void> start_client(const Namespace& host, const ScratchFolder& scratch,
                            Interrupt& interrupt);
  /// Returns when the client's wireguard-go has `what`, after 5 s or its end with an error.
  Result<void> await_client(std::string_view what, Interrupt& interrupt,
                            const std::function<Result<bool>()>& is_there);

  PopPair pair_;
  std::vector<Process> processes_;  ///< in the order of starting: R_S, R_C, client
  std::vector<std::string> names_;
  std::vector<std::string> commands_;
};

/// The last lines of a program's output, for an error message.
std::string last_lines(const std::string& text, std::size_t count);

}  // namespace tw::lab
