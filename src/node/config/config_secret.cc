#include "node/config/config_secret.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <system_error>

#include "base/file/open_file.h"
#include "base/unique_fd.h"

namespace tw::node {
namespace {

constexpr std::size_t longest_key_file = 256;  // a key has 44 characters
constexpr std::string_view white_space = " \t\r\n";

std::string reason(int os_errno) { return std::generic_category().message(os_errno); }

/// As a shell takes it: what the mend says can be copied and run.
std::string shell_word(const std::string& path) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"_./+=@:-"}.contains(c);
  };
  if (std::ranges::all_of(path, is_plain)) return path;
  std::string out = "'";
  for (const char c : path) out += c == '\'' ? std::string{"'\\''"} : std::string(1, c);
  return out + '\'';
}

Parsed<void> check_status(const struct stat& status, const std::string& path) {
  if (!S_ISREG(status.st_mode)) {
    return flaw(shown(path) + " is not a regular file", "put the key into a file of its own");
  }
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return flaw(shown(path) + " belongs to another user",
                "chown " + std::to_string(::geteuid()) + ' ' + shell_word(path));
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return flaw(shown(path) + " is open to other users", "chmod 600 " + shell_word(path));
  }
  return {};
}

Parsed<crypto::Secret<32>> key_of(std::string_view text, bool is_whole, const std::string& path) {
  const std::size_t first = std::min(text.find_first_not_of(white_space), text.size());
  text.remove_prefix(first);
  text = text.substr(0, text.find_last_not_of(white_space) + 1);
  // A full buffer may be the beginning of more.
  auto bytes = is_whole ? crypto::key_from_base64(text) : std::nullopt;
  if (!bytes) {
    return flaw(shown(path) + " does not hold one key in base64",
                "write 44 characters of base64 into it and nothing else, as `wg genkey` does");
  }
  crypto::Secret<32> key{std::span<const std::uint8_t, 32>{*bytes}};
  crypto::wipe(*bytes);
  if (key.is_zero()) {
    return flaw(shown(path) + " holds a key of zeros",
                "make one: (umask 077; wg genkey > " + shell_word(path) + ')');
  }
  return key;
}

}  // namespace

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string{} : path.substr(0, slash + 1);
}

Parsed<crypto::Secret<32>> read_key_file(std::string_view name, const std::string& folder) {
  if (looks_like_key(name)) {
    return flaw("this is a key, not the name of a file",
                "put it into a file of mode 600, name that file here, and think of this key as "
                "known to others");
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (name.empty() || std::ranges::any_of(name, is_control)) {
    return flaw(shown(name) + " is not the name of a file", "name the file that holds the key");
  }
  const std::string path = (name.starts_with('/') ? std::string{} : folder) + std::string{name};
  // Asked before it is opened: to open a device can do things.
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    return flaw(shown(path) + ": " + reason(errno), "name a file that exists and can be read");
  }
  if (const auto good = check_status(status, path); !good) return std::unexpected{good.error()};
  const UniqueFd fd = open_file(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return flaw(shown(path) + ": " + reason(errno), "name a file that exists and can be read");
  }
  // And again, of what is open now: the name may have been given to another file.
  if (const auto good = check_status(status, path); !good) return std::unexpected{good.error()};

  std::array<char, longest_key_file> buffer{};
  const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
  const int read_errno = errno;
  Parsed<crypto::Secret<32>> key =
      count < 0 ? flaw(shown(path) + ": " + reason(read_errno), "name a file that can be read")
                : key_of({buffer.data(), static_cast<std::size_t>(count)},
                         static_cast<std::size_t>(count) < buffer.size(), path);
  crypto::wipe(std::span{reinterpret_cast<std::uint8_t*>(buffer.data()), buffer.size()});
  return key;
}

}  // namespace tw::node
