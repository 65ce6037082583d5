// Changes to files of a configuration that are taken back, all of them, unless they are kept: what
// a node has refused leaves nothing behind.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tw::node {

/// Each change is whole, whenever the machine stops. Changes that failed have changed nothing.
class FileChanges {
 public:
  FileChanges() = default;
  FileChanges(const FileChanges&) = delete;
  FileChanges& operator=(const FileChanges&) = delete;
  ~FileChanges();  ///< takes back what was not kept

  /// A new file of mode 0600. Refused if something of that name is there, whatever it is.
  Result<void> make(const std::string& path, std::string_view text);
  /// Removes a regular file.
  Result<void> remove(const std::string& path);
  /// Gives a file another name, and then another text. Refused if something has that name.
  Result<void> rename(const std::string& from, const std::string& to, const std::string& text);

  void keep() noexcept { undo_.clear(); }
  /// Takes all of it back, the last first. Says what could not be.
  std::vector<std::string> undo();

 private:
  std::vector<std::function<Result<void>()>> undo_;
};

}  // namespace tw::node
