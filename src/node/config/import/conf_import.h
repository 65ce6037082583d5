// wg-quick's .conf → our TOML, for `thalweg check --import`. What the text says is what the node
// reads: no configuration is ever made from a .conf behind the user's back.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "node/config/config.h"

namespace tw::node {

/// The TOML of a wg-quick file, or every mistake in it. The interface is called as the file is,
/// without its ending. Keys stay where they are: the TOML names key files, and its first comment
/// says how to make them. Comments also say what has no counterpart (hooks, DNS). It has no policy,
/// so it forwards nothing until one is written.
///
///   path     names the file in mistakes and comments; nothing is read from it
///
/// Format: wg(8), "CONFIGURATION FILE FORMAT", and wg-quick(8), "CONFIGURATION".
std::expected<std::string, std::vector<ConfigMistake>> import_conf(std::string_view text,
                                                                   const std::string& path);
/// The same for a file, whose text is wiped afterwards.
std::expected<std::string, std::vector<ConfigMistake>> import_conf_file(const std::string& path);

}  // namespace tw::node
