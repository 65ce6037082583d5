// A Unix socket of ours at a path, for root only: what the control socket and the UAPI have in
// common. It replaces what a killed process has left, and nothing else; it removes its file at the
// end only while it is still its own; and it keeps its head when descriptors run out.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/spare_fd.h"
#include "base/unique_fd.h"

namespace tw::node {

/// The errors for an operator whose path cannot be had: sentences without the path before them.
struct UnixListenerWords {
  std::string_view in_use;     ///< somebody answers there
  std::string_view no_socket;  ///< the file is something else
};

/// The process that has made a connection; 0 if it is not known here.
pid_t peer_process(int socket) noexcept;

class UnixListener {
 public:
  /// Listens at `path`, mode 0600. A socket file that nobody answers at is replaced; one that
  /// answers is an error, and so is a file of another kind. Waits for nobody.
  static Result<UnixListener> open(const std::string& path, int backlog,
                                   const UnixListenerWords& words);
  UnixListener() = default;  ///< listens nowhere
  UnixListener(UnixListener&& other) noexcept;
  UnixListener& operator=(UnixListener&& other) noexcept;
  /// Removes the socket file, if it is still this listener's.
  ~UnixListener();

  /// The next client, non-blocking; empty if nobody waits. Without a descriptor for them, those
  /// who wait are hung up on, up to a number: they hear at once that they have to try again.
  ///
  /// Wait for fd() edge-triggered (EPOLLET) and call this until it is empty in every turn of the
  /// loop, whatever has happened: if not even a refusal was possible, the loop does not spin, and
  /// the next turn tries again.
  UniqueFd accept() noexcept;
  int fd() const noexcept { return socket_.get(); }
  /// False once somebody has removed or replaced the file.
  bool is_ours() const noexcept;
  const std::string& path() const noexcept { return path_; }

 private:
  Result<void> bind_and_listen(int backlog);
  void close() noexcept;

  std::string path_;
  UniqueFd socket_;
  SpareFd spare_;
  std::uint64_t device_ = 0, inode_ = 0;  // of the socket file; inode 0: not made
};

}  // namespace tw::node
