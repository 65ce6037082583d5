#include "node/config/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/file/open_file.h"
#include "base/unique_fd.h"
#include "crypto/secret.h"
#include "node/config/config_tree.h"

namespace tw::node {
namespace {

std::unexpected<ConfigMistake> unreadable(const std::string& path, std::string what,
                                          std::string mend) {
  ConfigMistake mistake;
  mistake.file = path;
  mistake.what = std::move(what);
  mistake.mend = std::move(mend);
  return std::unexpected{std::move(mistake)};
}

std::unexpected<ConfigMistake> unreadable(const std::string& path, int os_errno) {
  return unreadable(path, std::generic_category().message(os_errno),
                    "name a file that exists and can be read");
}

/// Asked of what is open: the name may be given to another file meanwhile. A terminal is whose it
/// is: somebody sits there.
std::expected<void, ConfigMistake> check_writers(const std::string& path,
                                                 const struct stat& status) {
  if (S_ISCHR(status.st_mode)) return {};
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return unreadable(path, "belongs to another user, who could change what it says",
                      "chown it to the user that the node runs as");
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return unreadable(path, "may be written by other users", "chmod go-w the file");
  }
  return {};
}

}  // namespace

void wipe_text(std::string& text) noexcept {
  crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  text.clear();
}

namespace {

/// All of an open file, whose name is for messages.
std::expected<std::string, ConfigMistake> read_open_file(const UniqueFd& fd,
                                                         const struct stat& status,
                                                         const std::string& path) {
  if (S_ISREG(status.st_mode) && std::cmp_greater(status.st_size, largest_config_bytes)) {
    return unreadable(path, "larger than 16 MiB", "is it the right file?");
  }
  // Reserved before it is filled: a string that grows leaves copies of keys behind.
  std::string text;
  text.reserve(static_cast<std::size_t>(std::max<off_t>(status.st_size, 0)) + 1);
  std::array<char, 64U << 10U> buffer;
  for (;;) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    const int read_errno = errno;
    if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
    crypto::wipe(std::span{reinterpret_cast<std::uint8_t*>(buffer.data()), buffer.size()});
    if (count < 0 && read_errno == EINTR) continue;
    if (count == 0) return text;
    if (count < 0 || text.size() > largest_config_bytes) {
      wipe_text(text);
      if (count < 0) return unreadable(path, read_errno);
      return unreadable(path, "larger than 16 MiB", "is it the right file?");
    }
  }
}

}  // namespace

std::expected<std::string, ConfigMistake> read_config_file(const std::string& path,
                                                           WrittenBy writers) {
  const UniqueFd fd = open_file(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0) return unreadable(path, errno);
  if (writers == WrittenBy::trusted) {
    if (const auto good = check_writers(path, status); !good) return std::unexpected{good.error()};
  }
  return read_open_file(fd, status, path);
}

std::expected<std::string, ConfigMistake> read_included_file(const std::string& path) {
  struct stat status{};
  const auto is_file = [&] { return S_ISREG(status.st_mode); };
  // Asked before it is opened: to open a device can do things.
  if (::stat(path.c_str(), &status) != 0) return unreadable(path, errno);
  if (!is_file()) return unreadable(path, "is not a regular file", "name files alone");
  const UniqueFd fd = open_file(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (!fd || ::fstat(fd.get(), &status) != 0) return unreadable(path, errno);
  if (!is_file()) return unreadable(path, "is not a regular file", "name files alone");
  if (const auto good = check_writers(path, status); !good) return std::unexpected{good.error()};
  return read_open_file(fd, status, path);
}

}  // namespace tw::node
