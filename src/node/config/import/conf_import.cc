#include "node/config/import/conf_import.h"

#include <array>

#include "node/config/config_checks.h"
#include "node/config/config_file.h"
#include "node/config/config_mistakes.h"
#include "node/config/import/conf_import_draft.h"

namespace tw::node {
namespace {

/// The checks name keys as the TOML has them; whoever imports a .conf knows the .conf's.
void rename_keys(std::vector<ConfigMistake>& mistakes) {
  for (ConfigMistake& mistake : mistakes) {
    if (mistake.key == "tunnel.mtu") mistake.key = "Interface.MTU";
    constexpr std::string_view toml = ".public_key";
    if (mistake.key.ends_with(toml)) {
      mistake.key.replace(mistake.key.size() - toml.size(), toml.size(), ".PublicKey");
    }
  }
}

}  // namespace

std::expected<std::string, std::vector<ConfigMistake>> import_conf(std::string_view text,
                                                                   const std::string& path) {
  MistakeList mistakes{path};
  const ImportedConf conf = draft_of(read_wg_conf(text, path, mistakes), mistakes);
  check_tunnel(conf.draft, mistakes);
  if (mistakes.empty()) return write_toml(conf);
  auto found = mistakes.take();
  rename_keys(found);
  return std::unexpected{std::move(found)};
}

std::expected<std::string, std::vector<ConfigMistake>> import_conf_file(const std::string& path) {
  auto text = read_config_file(path);
  if (!text) return std::unexpected{std::vector{text.error()}};
  auto toml = import_conf(*text, path);
  wipe_text(*text);
  return toml;
}

}  // namespace tw::node
