#include "base/file/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/file/open_file.h"
#include "base/unique_fd.h"

namespace tw {
namespace {

/// So that the new name is on disk as well. Not every file system can; the file is whole either
/// way.
void sync_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const UniqueFd opened{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (opened) ::fsync(opened.get());
}

/// Writes a file beside `path` and, once it is on disk, has `name` give it its name. Until then it
/// is hidden from who reads all files of a folder.
template <typename Name>
Result<void> write_beside(const std::string& path, std::string_view text, mode_t mode, Name name) {
  const std::size_t last = path.rfind('/') + 1;  // 0 without a slash
  std::string fresh = path.substr(0, last) + '.' + path.substr(last) + ".XXXXXX";
  // Its name cannot be known before, and it is made anew (O_EXCL), with mode 0600.
  const UniqueFd file{::mkostemp(fresh.data(), O_CLOEXEC)};
  if (!file) return system_error("make a file beside " + path);
  Result<void> written = write_whole(file.get(), text, fresh);
  if (written && ::fsync(file.get()) != 0) written = system_error("write " + fresh);
  if (written && ::fchmod(file.get(), mode) != 0) written = system_error("write " + fresh);
  if (written) written = name(fresh);
  if (!written) ::unlink(fresh.c_str());
  return written;
}

bool is_ours(const struct stat& status) noexcept {
  return status.st_uid == 0 || status.st_uid == ::geteuid();
}

}  // namespace

Result<void> write_whole(int file, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t size = ::write(file, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error("write " + path);
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

Result<void> move_file(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    return system_error("give " + from + " the name " + to);
  }
  return {};
}

Result<void> make_file(const std::string& path, std::string_view text) {
  return write_beside(path, text, private_mode,
                      [&](const std::string& fresh) { return move_file(fresh, path); });
}

Result<void> replace_file(const std::string& path, std::string_view text, mode_t mode) {
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    return make_error(Error::Kind::config, path + " is there, and is no file: name another one");
  }
  return write_beside(path, text, mode, [&](const std::string& fresh) -> Result<void> {
    if (::rename(fresh.c_str(), path.c_str()) != 0) return system_error("replace " + path);
    sync_folder(path);
    return {};
  });
}

Result<UniqueFd> open_to_append(const std::string& path) {
  constexpr int flags =
      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW;
  constexpr mode_t owner_and_group = 0640;
  UniqueFd file = open_file(path, flags, owner_and_group);
  if (!file && errno == ELOOP) {
    return make_error(Error::Kind::config, path + " is a symbolic link: name the file itself");
  }
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return system_error("open log file " + path);
  if (!S_ISREG(status.st_mode)) return file;
  if (!is_ours(status) || (status.st_mode & S_IWOTH) != 0 || status.st_nlink != 1) {
    return make_error(Error::Kind::config,
                      path +
                          " belongs to somebody else, may be written by every user, or has "
                          "another name: remove it, or name another file");
  }
  return file;
}

Result<void> make_private_folder(const std::string& path) {
  constexpr mode_t ours_alone = S_IRWXU;
  if (::mkdir(path.c_str(), ours_alone) != 0 && errno != EEXIST) {
    return system_error("make the folder " + path);
  }
  const UniqueFd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  struct stat status{};
  const bool is_folder = folder && ::fstat(folder.get(), &status) == 0;
  if (!is_folder && errno != ENOTDIR && errno != ELOOP) return system_error("open " + path);
  if (!is_folder || !is_ours(status)) {
    return make_error(Error::Kind::config, path + " must be a folder of root's: remove it");
  }
  const bool is_open = (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
  if (is_open && ::fchmod(folder.get(), ours_alone) != 0) return system_error("chmod 700 " + path);
  return {};
}

}  // namespace tw
