#include "cli/report_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "lab/process.h"

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

bool write_file(const std::string& path, const std::string& contents) {
  const std::string draft = fmt::format("{}.{}", path, getpid());
  std::ofstream file{draft, std::ios::binary};
  file << contents;
  file.close();
  if (file && std::rename(draft.c_str(), path.c_str()) == 0) return true;
  std::remove(draft.c_str());
  return false;
}

}  // namespace tw::cli
