#include "node/config/config_include.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "base/file/open_file.h"
#include "node/config/config_file.h"
#include "node/config/config_secret.h"
#include "node/config/config_tree.h"

namespace tw::node {
namespace {

constexpr std::string_view wildcards = "*?[";

/// The part behind the last slash.
std::string_view last_part(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

Parsed<void> check_folder(const struct stat& status, const std::string& folder) {
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return flaw(shown(folder) + " belongs to another user, who could add peers",
                "chown it to the user that the node runs as");
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return flaw(shown(folder) + " may be written by other users, who could add peers",
                "chmod go-w the folder");
  }
  return {};
}

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

Parsed<std::vector<std::string>> list_folder(const IncludePattern& pattern) {
  const std::string& folder = pattern.folder;
  UniqueFd fd = open_file(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return flaw(shown(folder) + ": " + std::generic_category().message(errno),
                "make the folder, or take the entry out");
  }
  if (const auto good = check_folder(status, folder); !good) return std::unexpected{good.error()};
  const std::unique_ptr<DIR, CloseFolder> opened{::fdopendir(fd.get())};
  if (!opened) return flaw(shown(folder) + " cannot be listed", "name a folder");
  static_cast<void>(fd.release());  // it closes with `opened`
  std::vector<std::string> paths;
  errno = 0;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread has this folder
  while (const dirent* entry = ::readdir(opened.get())) {
    if (pattern.matches(entry->d_name)) paths.push_back(folder + entry->d_name);
    if (paths.size() > most_included_files) {
      return flaw(shown(folder) + " holds more than 65,536 files",
                  "put several peers into one file");
    }
  }
  if (errno != 0) {
    return flaw(shown(folder) + ": " + std::generic_category().message(errno),
                "name a folder that can be read");
  }
  std::ranges::sort(paths);
  return paths;
}

/// Sections that a node has once, or in an order, stand in one file: people look for them there.
void forbid_other_sections(TableReader& root, const std::string& main) {
  for (const char* const section :
       {"node", "tunnel", "workers", "gateway", "relay", "pop", "policy"}) {
    root.forbid(section, "does not belong into an included file", "move it to " + main);
  }
}

void read_file(const std::string& text, const std::string& path, const std::string& main,
               ConfigDraft& draft) {
  const auto tree = read_tree(text, path);
  MistakeList& mistakes = draft.included.emplace_back(path);
  if (!tree) {
    mistakes.add_at({.line = tree.error().line, .column = tree.error().column}, {},
                    tree.error().what, tree.error().mend);
    return;
  }
  TableReader root{*tree, {}, mistakes};
  read_peers(root, folder_of(path), draft);
  forbid_other_sections(root, main);
  root.close();
}

}  // namespace

IncludePattern IncludePattern::of(std::string_view text, const std::string& base) {
  const std::string path = (text.starts_with('/') ? std::string{} : base) + std::string{text};
  const std::string_view last = last_part(path);
  if (last.find_first_of(wildcards) != std::string_view::npos) {
    return {.folder = path.substr(0, path.size() - last.size()), .name = std::string{last}};
  }
  if (last.empty()) return {.folder = path, .name = "*.toml"};
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return {.folder = path + '/', .name = "*.toml"};
  }
  return {.folder = path, .name = {}};
}

bool IncludePattern::matches(std::string_view file) const {
  return !name.empty() && ::fnmatch(name.c_str(), std::string{file}.c_str(), FNM_PERIOD) == 0;
}

Parsed<std::string> read_include(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (text.empty() || std::ranges::any_of(text, is_control) || looks_like_key(text)) {
    return flaw(shown(text) + " is not the name of a file", R"(write "peers.d/*.toml")");
  }
  const std::string_view last = last_part(text);
  if (text.substr(0, text.size() - last.size()).find_first_of(wildcards) !=
      std::string_view::npos) {
    return flaw(shown(text) + " has a wildcard in the name of a folder",
                "only the last part of a name may have * and ?");
  }
  return std::string{text};
}

Parsed<std::vector<std::string>> included_files(const IncludePattern& pattern) {
  if (pattern.name.empty()) return std::vector{pattern.folder};
  return list_folder(pattern);
}

void read_included(ConfigDraft& draft, const std::string& folder, MistakeList& mistakes) {
  std::set<std::string> seen;
  std::size_t bytes = 0;
  // The list may grow by no more than is in it now: an included file includes nothing.
  for (const Listed<std::string>& include : draft.includes) {
    const auto files = included_files(IncludePattern::of(include.value, folder));
    if (!files) mistakes.add(include.key, files.error());
    for (const std::string& path : files ? *files : std::vector<std::string>{}) {
      if (!seen.insert(path).second) continue;
      auto text = read_included_file(path);
      if (!text) {
        draft.included.emplace_back(path).add_at({}, {}, text.error().what, text.error().mend);
        continue;
      }
      bytes += text->size();
      if (bytes > largest_config_bytes) {
        mistakes.add(include.key, "more than 16 MiB are included", "are they the right files?");
        return;
      }
      read_file(*text, path, mistakes.file(), draft);
      wipe_text(*text);
    }
  }
}

}  // namespace tw::node
