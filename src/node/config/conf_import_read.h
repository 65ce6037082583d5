// The reading half of the import: a wg-quick text as the draft of a configuration, and what a draft
// cannot hold. Keys are checked here, and then only known by the line they stand in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/config/config_mistakes.h"
#include "node/config/config_sections.h"

namespace tw::node {

struct ImportedConf {
  std::string file_name;                       ///< without its folder: "wg0.conf"
  ConfigDraft draft;                           ///< [tunnel] and [[peer]]
  std::uint32_t private_key_line = 0;          ///< from 1
  std::vector<std::uint32_t> preshared_lines;  ///< by peer; 0: it has none
  std::vector<std::string> notes;              ///< what has no counterpart, a line each
};

/// Of use only if `mistakes` is empty afterwards.
ImportedConf read_conf(std::string_view text, const std::string& path, MistakeList& mistakes);

/// The TOML of what was read without a mistake.
std::string write_toml(const ImportedConf& conf);

}  // namespace tw::node
