#include "node/config/config.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "node/config/config_checks.h"
#include "node/config/config_file.h"
#include "node/config/config_include.h"
#include "node/config/config_reader.h"
#include "node/config/config_secret.h"
#include "node/config/config_sections.h"
#include "node/config/config_tree.h"

namespace tw::node {
namespace {

/// Returns those of the main file, then those of each included one.
std::vector<ConfigMistake> all_mistakes(MistakeList& mistakes, ConfigDraft& draft) {
  std::vector<ConfigMistake> all = mistakes.take();
  for (MistakeList& included : draft.included) {
    if (all.size() > MistakeList::most) break;
    std::ranges::move(included.take(), std::back_inserter(all));
  }
  return all;
}

}  // namespace

std::expected<NodeConfig, std::vector<ConfigMistake>> parse_config(std::string_view text,
                                                                   const std::string& path) {
  const auto tree = read_tree(text, path);
  if (!tree) return std::unexpected{std::vector{tree.error()}};
  MistakeList mistakes{path};
  TableReader root{*tree, {}, mistakes};
  ConfigDraft draft;
  read_tunnel_sections(root, folder_of(path), draft);
  read_included(draft, folder_of(path), mistakes);
  draft.index_peers();
  read_relay_sections(root, draft);
  root.close();
  check_tunnel(draft, mistakes);
  check_relay(draft, mistakes);
  if (auto found = all_mistakes(mistakes, draft); !found.empty()) {
    return std::unexpected{std::move(found)};
  }
  return std::move(draft).finish();
}

std::expected<NodeConfig, std::vector<ConfigMistake>> load_config(const std::string& path) {
  auto text = read_config_file(path, WrittenBy::trusted);
  if (!text) return std::unexpected{std::vector{text.error()}};
  auto config = parse_config(*text, path);
  wipe_text(*text);
  return config;
}

}  // namespace tw::node
