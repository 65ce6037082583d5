// Lists the files that a configuration names, whatever else it says: the authority of FileBroker.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node/config/config_include.h"

namespace tw::node {

struct NamedFiles {
  std::set<std::string, std::less<>> readable;    ///< keys
  std::set<std::string, std::less<>> appendable;  ///< logs
  std::vector<IncludePattern> includes;           ///< of further files that name some
};

/// Every text in `include` of a table `tunnel` names files that are included. Every text under a
/// key `…_file` is a file to read, but `log_file`, and `file` in a table `log`, which are written
/// to. Names without a slash in front are relative to the folder of `path`, the configuration's own
/// name. Nothing of a text that is no TOML.
NamedFiles named_files(std::string_view toml, const std::string& path);

/// Adds what is included to what a configuration names: the folders and the files to read, and what
/// these name in turn, but for what they would include. Reads them; passes over those that a node
/// would not take.
void add_included(NamedFiles& named);

}  // namespace tw::node
