#include "host/settings/file_setting.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "base/unique_fd.h"

namespace tw::host {
namespace {

constexpr std::size_t most_figures = 19, longest_word = 64;

}  // namespace

Result<std::optional<std::string>> read_setting_file(const std::string& path) {
  return read_line(path);
}

Result<void> write_setting_file(const std::string& path, const std::string& value) {
  const std::string doing = fmt::format("write {} to {}", value, path);
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file || ::write(file.get(), value.data(), value.size()) < 0) return system_error(doing);
  return {};
}

bool is_number(std::string_view text) noexcept {
  return !text.empty() && text.size() <= most_figures &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_word(std::string_view text) noexcept {
  return !text.empty() && text.size() <= longest_word && std::ranges::all_of(text, [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
  });
}

}  // namespace tw::host
