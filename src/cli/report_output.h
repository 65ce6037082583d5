// What the commands that report have in common: how they were called, and files that are there
// whole or not at all.
#pragma once

#include <filesystem>
#include <string>

namespace tw::cli {

/// The command line as it was typed.
std::string own_command();

/// Whether a file can be made there: said before minutes are spent, not after.
bool can_be_written(const std::filesystem::path& file);

/// A page is never half there: it is renamed into place. False if that failed.
bool write_file(const std::string& path, const std::string& contents);

}  // namespace tw::cli
