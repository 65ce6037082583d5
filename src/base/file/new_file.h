// Files of ours that others must not be able to turn against us: nothing is written through a
// symbolic link, and what is replaced is replaced whole.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tw {

/// Writes all of `text`, however little the file takes at a time. `path` is for the message.
Result<void> write_whole(int file, std::string_view text, const std::string& path);

inline constexpr mode_t private_mode = 0600, public_mode = 0644;

/// Puts `text` in place of the file at `path`, which may be missing: a new file beside it, on disk
/// before it takes the name. On failure the old one stands, and no other is left. Refused if
/// something else than a file is there: a device, a folder, a symbolic link.
Result<void> replace_file(const std::string& path, std::string_view text,
                          mode_t mode = private_mode);

/// Makes a file of mode 0600, whole and on disk before it has the name. Refused, with EEXIST, if
/// something of that name is there, whatever it is.
Result<void> make_file(const std::string& path, std::string_view text);
/// Moves a file to a name that nothing has.
Result<void> move_file(const std::string& from, const std::string& to);

/// Opens a log to append to; makes it, with mode 0640, if it is missing. Never blocks, whatever is
/// there. Refused, because somebody else could choose what is written to, or write lines of ours: a
/// symbolic link, and a file that has another owner than root or us, another name, or a mode that
/// lets every user write.
Result<UniqueFd> open_to_append(const std::string& path);

/// Makes a folder of mode 0700, or makes one that is there so: others shall not even see the names
/// in it. Refused if it is something else, or somebody else's. Folders above it must exist.
Result<void> make_private_folder(const std::string& path);

}  // namespace tw
