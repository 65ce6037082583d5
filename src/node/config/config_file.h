// The bytes of a configuration file, which may hold a key: in wg-quick's files it does, and in ours
// by mistake.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "node/config/config.h"

namespace tw::node {

/// `trusted` refuses a file that somebody else than root and the caller may write; `anybody` reads
/// it all the same.
enum class WrittenBy : std::uint8_t { anybody, trusted };

/// The whole file, or one mistake that says why not. The caller wipes what it got.
std::expected<std::string, ConfigMistake> read_config_file(const std::string& path,
                                                           WrittenBy writers = WrittenBy::anybody);

/// The same of a file that another names: a regular one, and `trusted`. Never waits for one that is
/// something else.
std::expected<std::string, ConfigMistake> read_included_file(const std::string& path);

/// Overwrites a text and empties it.
void wipe_text(std::string& text) noexcept;

}  // namespace tw::node
