// The files that [tunnel] include names: peers, and groups of them, that stand in files of their
// own, so that one can be added or removed without touching what people wrote.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "node/config/config_mistakes.h"
#include "node/config/config_sections.h"

namespace tw::node {

/// A folder may have so many files that are included: one a peer.
inline constexpr std::size_t most_included_files = std::size_t{1} << 16U;

/// One entry of [tunnel] include: a file, or those of a folder whose names match a pattern.
struct IncludePattern {
  std::string folder;  ///< with the / at its end
  std::string name;    ///< of the files; empty: this is one file, and `folder` its whole path

  /// `text` as the configuration has it, relative to `base` ("" or ending in /) unless absolute. A
  /// folder means its *.toml; whether it is one is looked up.
  static IncludePattern of(std::string_view text, const std::string& base);
  /// True if a file of this name in `folder` belongs to it.
  bool matches(std::string_view file) const;
};

/// A name of a file or folder with * and ? in its last part alone.
Parsed<std::string> read_include(std::string_view text);

/// The paths of the files that a pattern means, in the order of their names. A folder must exist,
/// belong to root or the caller, and be writable by nobody else; it may be empty. One file is not
/// looked at here.
Parsed<std::vector<std::string>> included_files(const IncludePattern& pattern);

/// Reads the peers and groups of all included files behind those of the draft; `mistakes` is the
/// including file's. What is wrong in an included file is kept in the draft, by its own list.
void read_included(ConfigDraft& draft, const std::string& folder, MistakeList& mistakes);

}  // namespace tw::node
