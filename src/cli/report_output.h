// Shared by the commands that report: their command line, where the report goes, and
// pages that are there whole or not at all.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace tw::cli {

/// The command line as it was typed.
std::string own_command();

/// Returns true if a file can be made there: asked before minutes are spent, not after.
bool can_be_written(const std::filesystem::path& file);

/// A report on stdout, which must have taken all of it.
Result<void> print_report(const std::string& text);

/// Writes a file that is never half there: it is renamed into place. Then stderr says where `what`
/// is.
Result<void> write_page(const std::string& path, const std::string& contents,
                        const std::string& what);

}  // namespace tw::cli
