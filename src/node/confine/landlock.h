// Landlock: which files a process may reach from here on, whoever it is.
//
// A path that no rule names cannot be opened, made or removed any more, uid 0 or not, by this
// process, its threads to come and its children; what is open already stays open. The kernel's
// interface is called directly, for Debian 12 has no library of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace tw::node {

/// The access that a rule gives to a file, or to everything beneath a folder.
enum class Reach : std::uint8_t {
  read,    ///< and list
  change,  ///< read and overwrite what is there
  device,  ///< the same, with its ioctls
  make,    ///< read, change and make files
  remove,  ///< files, not folders
  keep,    ///< all of that with files, and make sockets
};

struct ReachRule {
  std::string path;
  Reach reach = Reach::read;
};

/// The version of Landlock that this kernel offers: 0 without any, 1 since Linux 5.13.
int landlock_version() noexcept;

/// Returns a phrase for each thing asked for here that a version lacks; none since 6 (Linux 6.12).
std::vector<std::string> landlock_lacks(int version);

/// Leaves the calling thread, and all it will start, no more than the rules. A path that is not
/// there is passed over: nothing can be done with it either. With version 6 signals and abstract
/// Unix sockets of other processes are out of reach as well. Needs no_new_privs.
///
/// Keeps a descriptor of each folder for as long as the process lives: the kernel recognises it by
/// its inode, and those of /proc last only while somebody holds them.
Result<void> restrict_files(const std::vector<ReachRule>& rules);

}  // namespace tw::node
