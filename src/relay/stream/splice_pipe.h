// Pipes through which bytes go from socket to socket without being copied to user space. A pipe is
// held only while bytes are in it: the pool keeps the few that are needed at the same time, and an
// idle connection holds none.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/unique_fd.h"

namespace tw::relay {

struct SplicePipe {
  UniqueFd exit, entry;      ///< read end, write end; both non-blocking
  std::size_t capacity = 0;  ///< bytes, as the kernel gave it
};

class PipePool {
 public:
  /// `pipe_bytes` is asked for; the kernel may give less. At most `keep` idle pipes stay open.
  explicit PipePool(std::size_t pipe_bytes, std::size_t keep = 32);

  /// Empty if the kernel gives no descriptors: the caller waits until a pipe comes back.
  std::optional<SplicePipe> take() noexcept;
  /// `pipe` must be empty.
  void give_back(SplicePipe pipe) noexcept;

  void set_pipe_bytes(std::size_t pipe_bytes) noexcept;
  std::size_t idle() const noexcept { return idle_.size(); }

 private:
  std::size_t pipe_bytes_;
  const std::size_t keep_;
  std::vector<SplicePipe> idle_;
};

}  // namespace tw::relay
