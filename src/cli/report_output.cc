#include "cli/report_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "base/file/new_file.h"
#include "lab/bed/process.h"

namespace tw::cli {

std::string own_command() {
  std::ifstream file{"/proc/self/cmdline"};
  lab::Command command;
  for (std::string word; std::getline(file, word, '\0');) command.argv.push_back(word);
  return command.text();
}

bool can_be_written(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  return access(folder.c_str(), W_OK | X_OK) == 0 && !std::filesystem::is_directory(file);
}

Result<void> print_report(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return make_error(Error::Kind::unavailable, "cannot write the result");
  }
  return {};
}

Result<void> write_page(const std::string& path, const std::string& contents,
                        const std::string& what) {
  if (Result<void> written = replace_file(path, contents, public_mode); !written) return written;
  std::fputs(fmt::format("{}: {}\n", what, path).c_str(), stderr);
  return {};
}

}  // namespace tw::cli
