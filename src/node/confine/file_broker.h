// A second process that opens the files which a node's configuration names, for a node that may
// not.
//
// A reload may name a new log in a folder that nobody thought of, or a key in a home. The node,
// once confined, reaches neither. The broker is made before the node has read a key, keeps no
// capability, and answers one question: "open this, to read" or "to append to". It does so only for
// the configuration file it was started with, and for names that stand in that file, or in those
// that it includes, as the broker itself reads them: an intruder in the node gets by it what the
// administrator has written, and nothing else. It ends with the node, however the node ends.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>

#include "base/file/open_file.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tw::node {

class FileBroker final : public FileOpener {
 public:
  /// Forks. Call from the only thread, before secrets are read; open_file() asks the broker from
  /// here on, and no more when this object is gone. At most one in a process.
  static Result<std::unique_ptr<FileBroker>> start(const std::string& config_path);
  FileBroker(const FileBroker&) = delete;
  FileBroker& operator=(const FileBroker&) = delete;
  /// The broker ends, and is waited for.
  ~FileBroker() override;

  /// Waits until the broker has confined itself; what has kept it from that, if anything.
  Result<void> ready();

  /// Opens a file itself where it may, else has it opened. EACCES if the configuration does not
  /// name it, EPIPE if the broker is gone; of `flags` only those are taken that reading and
  /// appending need (EINVAL), and of `mode` what gives others nothing.
  UniqueFd open(const std::string& path, int flags, mode_t mode) noexcept override;

 private:
  FileBroker(UniqueFd socket, pid_t child) noexcept;

  std::mutex mutex_;  // a question and its answer
  UniqueFd socket_;
  pid_t child_;
};

}  // namespace tw::node
