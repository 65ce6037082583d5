// Settings that are a file below /sys or /proc.
#pragma once

#include "host/settings/setting.h"

namespace tw::host {

/// Reads the file's line; empty if there is no such file or it cannot be read.
Result<std::optional<std::string>> read_setting_file(const std::string& path);
/// One write, as the kernel wants it.
Result<void> write_setting_file(const std::string& path, const std::string& value);

bool is_number(std::string_view text) noexcept;  ///< of 1 to 19 figures
bool is_word(std::string_view text) noexcept;    ///< of letters, figures and _, at most 64

}  // namespace tw::host
