#include "relay/stream/splice_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "base/spare_fd.h"

namespace tw::relay {

PipePool::PipePool(std::size_t pipe_bytes, std::size_t keep)
    : pipe_bytes_(pipe_bytes), keep_(keep) {
  idle_.reserve(keep);
}

std::optional<SplicePipe> PipePool::take() noexcept {
  if (!idle_.empty()) {
    SplicePipe pipe = std::move(idle_.back());
    idle_.pop_back();
    return pipe;
  }
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return std::nullopt;
  SplicePipe pipe{UniqueFd{ends[0]}, UniqueFd{ends[1]}, 0};
  if (is_in_reserve(std::max(ends[0], ends[1]))) return std::nullopt;
  // Refused when this user's pipes hold too many pages already: then the size is what it is.
  const auto asked = static_cast<int>(std::min<std::size_t>(pipe_bytes_, INT_MAX));
  static_cast<void>(::fcntl(pipe.entry.get(), F_SETPIPE_SZ, asked));
  const int given = ::fcntl(pipe.entry.get(), F_GETPIPE_SZ);
  pipe.capacity = given > 0 ? static_cast<std::size_t>(given) : PIPE_BUF;
  return pipe;
}

void PipePool::give_back(SplicePipe pipe) noexcept {
  if (idle_.size() < keep_) idle_.push_back(std::move(pipe));
}

void PipePool::set_pipe_bytes(std::size_t pipe_bytes) noexcept {
  if (pipe_bytes == pipe_bytes_) return;
  pipe_bytes_ = pipe_bytes;
  idle_.clear();
}

}  // namespace tw::relay
