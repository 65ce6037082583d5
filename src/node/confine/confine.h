// Confines a running process of ours further than its lack of capabilities does.
//
// It stays uid 0, and root's files are its own: without more, whoever takes it over could write a
// cron job, a core_pattern or a password. So it leaves itself, for good, the files that it needs
// (landlock.h) and the system calls that it makes (system_calls.h), after it has opened what needs
// root and before its first thread and its first packet. Files that its configuration names are
// opened by a second process (file_broker.h), which takes nobody's word for them but the
// configuration's.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "node/confine/landlock.h"

namespace tw::node {

/// Says which powers the kernel has taken away, and which it could not.
struct Confinement {
  int landlock_version = 0;        ///< 0: files are not confined
  bool system_calls = false;       ///< filtered
  std::vector<std::string> lacks;  ///< means that this kernel has not got, as phrases

  /// "files by Landlock 7, system calls by seccomp", and what is not, for the log.
  std::string text() const;
};

/// The files that every running process of ours needs: its libraries and what names are looked up
/// in, to read; kernel settings of the network, the TUN device and /dev/null, to change.
std::vector<ReachRule> common_reach();

/// Call after drop_privileges(), from the only thread. A kernel that lacks a part is no error, for
/// the rest is worth having: the result says so. On an error the process must end.
Result<Confinement> confine(const std::vector<ReachRule>& reach);

}  // namespace tw::node
