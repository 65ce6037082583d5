// Lists the files that a configuration names, whatever else it says: the authority of FileBroker.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace tw::node {

struct NamedFiles {
  std::set<std::string, std::less<>> readable;    ///< keys
  std::set<std::string, std::less<>> appendable;  ///< logs
};

/// Every text under a key `…_file` is a file to read, but `log_file`, and `file` in a table `log`,
/// which are written to. Names without a slash in front are relative to the folder of `path`, the
/// configuration's own name. Nothing of a text that is no TOML.
NamedFiles named_files(std::string_view toml, const std::string& path);

}  // namespace tw::node
