// Key files: secrets never stand in the configuration itself, which is copied, shown and mailed.
#pragma once

#include <string>
#include <string_view>

#include "crypto/secret.h"
#include "node/config/config_mistakes.h"

namespace tw::node {

/// Reads the one base64 key that the file holds, white space around it allowed. The file must be a
/// regular one, belong to root or to the current user, and have no bit of its mode set for others.
/// No message shows what is in it; what was read is wiped.
///
///   name     as the configuration has it, relative to `folder` ("" or ending in /) unless absolute
Parsed<crypto::Secret<32>> read_key_file(std::string_view name, const std::string& folder);

/// The folder of a file, with the / at its end; empty for the current one.
std::string folder_of(const std::string& path);

}  // namespace tw::node
