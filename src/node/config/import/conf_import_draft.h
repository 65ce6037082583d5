// A wg-quick file on its way to TOML: the draft of a configuration, and what a draft cannot hold.
// Keys are checked, and then only known by the line they stand in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "node/config/config_mistakes.h"
#include "node/config/config_sections.h"
#include "node/config/import/wg_conf.h"

namespace tw::node {

struct ImportedConf {
  std::string file_name;                       ///< without its folder: "wg0.conf"
  ConfigDraft draft;                           ///< [tunnel] and [[peer]]
  std::uint32_t private_key_line = 0;          ///< from 1
  std::vector<std::uint32_t> preshared_lines;  ///< by peer; 0: it has none
  std::vector<std::string> notes;              ///< lines that have no counterpart
};

/// Returns a device's settings after the file: sections of the same peer are one, and an allowed IP
/// belongs to the peer that named it last. Valid only if `mistakes` is empty afterwards.
ImportedConf draft_of(const WgConf& conf, MistakeList& mistakes);

/// The TOML of what was read without a mistake.
std::string write_toml(const ImportedConf& conf);

}  // namespace tw::node
