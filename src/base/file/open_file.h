// Opens files that people name to this process. The process does so itself, or, once it is confined
// and may not any more, asks the FileOpener that was set.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/unique_fd.h"

namespace tw {

/// Any thread. Returns nothing and sets errno, as open() does.
class FileOpener {
 public:
  virtual ~FileOpener() = default;
  virtual UniqueFd open(const std::string& path, int flags, mode_t mode) noexcept = 0;
};

/// From here on open_file() asks `opener`, which must outlive that; null: nobody, as in the
/// beginning. Call while no other thread opens files.
void set_file_opener(FileOpener* opener) noexcept;

/// open(2), by whoever does it now: an invalid descriptor and errno on failure.
UniqueFd open_file(const std::string& path, int flags, mode_t mode = 0) noexcept;

}  // namespace tw
