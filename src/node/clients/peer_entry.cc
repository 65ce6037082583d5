#include "node/clients/peer_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "node/config/config_file.h"
#include "node/config/config_include.h"
#include "node/config/config_secret.h"
#include "node/config/config_tree.h"
#include "node/config/config_values.h"

namespace tw::node {
namespace {

using Kind = ConfigNode::Kind;

constexpr std::size_t longest_client_name = 60;

const ConfigNode* child_of(const ConfigNode& table, std::string_view name, Kind kind) noexcept {
  const auto found = std::ranges::find(table.children, name, &ConfigNode::name);
  return found == table.children.end() || found->kind != kind ? nullptr : &*found;
}

std::string name_of(const ConfigNode& peer) {
  if (const ConfigNode* name = child_of(peer, "name", Kind::text)) return name->text;
  const ConfigNode* key = child_of(peer, "public_key", Kind::text);
  const auto read = key == nullptr ? std::nullopt : crypto::key_from_base64(key->text);
  return read ? default_name({*read}) : std::string{};
}

Result<void> add_places(const std::string& path, bool included, std::vector<PeerPlace>& places) {
  auto text = included ? read_included_file(path) : read_config_file(path, WrittenBy::trusted);
  if (!text) return make_error(Error::Kind::config, text.error().text());
  const auto root = read_tree(*text, path);
  wipe_text(*text);
  if (!root) return make_error(Error::Kind::config, root.error().text());
  const ConfigNode* peers = child_of(*root, "peer", Kind::list);
  if (peers == nullptr) return {};
  const bool alone = root->children.size() == 1 && peers->children.size() == 1;
  for (const ConfigNode& peer : peers->children) {
    places.push_back({.name = name_of(peer),
                      .file = path,
                      .line = peer.place.line,
                      .included = included,
                      .alone = alone});
  }
  return {};
}

/// The offset where a line begins, from 1; the text's end if it has fewer.
std::size_t line_start(const std::string& text, std::uint32_t line) {
  std::size_t at = 0;
  for (std::uint32_t i = 1; i < line && at != std::string::npos; ++i) {
    at = text.find('\n', at);
    if (at != std::string::npos) ++at;
  }
  return std::min(at, text.size());
}

/// The one peer of a text; null unless there is one alone.
const ConfigNode* only_peer(const ConfigNode& root) {
  const ConfigNode* peers = child_of(root, "peer", Kind::list);
  return peers == nullptr || peers->children.size() != 1 ? nullptr : &peers->children.front();
}

}  // namespace

Result<void> check_client_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"._-"}.contains(c);
  };
  if (!name.empty() && name.size() <= longest_client_name && std::ranges::all_of(name, fits) &&
      name.front() != '.' && name.front() != '-') {
    return {};
  }
  return make_error(Error::Kind::config,
                    shown(name) +
                        " cannot be the name of a peer's file: take 1 to 60 letters, digits and "
                        ". _ - and begin with none of . and -");
}

std::string peer_entry(const std::string& name, const crypto::PublicKey& key,
                       const std::vector<IpAddress>& addresses) {
  std::string allowed;
  for (const IpAddress& address : addresses) {
    allowed +=
        fmt::format("{}\"{}/{}\"", allowed.empty() ? "" : ", ", address.text(), address.bits());
  }
  return fmt::format(
      "# Made by thalweg peer add. Whoever changes it: thalweg reload\n"
      "[[peer]]\nname = \"{}\"\npublic_key = \"{}\"\nallowed_ips = [{}]\n",
      name, crypto::key_to_base64(key.bytes), allowed);
}

std::optional<std::string> peer_path(const std::string& config_file,
                                     const std::vector<std::string>& patterns,
                                     std::string_view name) {
  const std::string file = std::string{name} + ".toml";
  for (const std::string& text : patterns) {
    const IncludePattern pattern = IncludePattern::of(text, folder_of(config_file));
    if (pattern.matches(file)) return pattern.folder + file;
  }
  return std::nullopt;
}

Result<std::vector<PeerPlace>> peer_places(const std::string& config_file,
                                           const std::vector<std::string>& patterns) {
  std::vector<PeerPlace> places;
  if (auto added = add_places(config_file, false, places); !added) {
    return std::unexpected(added.error());
  }
  std::set<std::string> seen;
  for (const std::string& text : patterns) {
    const auto files = included_files(IncludePattern::of(text, folder_of(config_file)));
    if (!files) return make_error(Error::Kind::config, files.error().what);
    for (const std::string& path : *files) {
      if (!seen.insert(path).second) continue;
      if (auto added = add_places(path, true, places); !added) {
        return std::unexpected(added.error());
      }
    }
  }
  return places;
}

Result<std::string> renamed(const std::string& text, const std::string& name) {
  const auto by_hand = [] {
    return make_error(Error::Kind::config,
                      "its name is written in a way that is yours: change it "
                      "there, and `thalweg reload`");
  };
  const auto before = read_tree(text, {});
  const ConfigNode* peer = before ? only_peer(*before) : nullptr;
  if (peer == nullptr) return by_hand();
  std::string out = text;
  if (const ConfigNode* old = child_of(*peer, "name", Kind::text)) {
    const std::size_t line = line_start(text, old->place.line);
    const std::size_t end = std::min(text.find('\n', line), text.size());
    const std::size_t first = line + old->place.column - 1;
    if (first >= end || (text[first] != '"' && text[first] != '\'')) return by_hand();
    const std::size_t last = text.find(text[first], first + 1);
    if (last >= end) return by_hand();
    out.replace(first, last + 1 - first, '"' + name + '"');
  } else {
    const std::size_t behind_header = line_start(text, peer->place.line + 1);
    out.insert(behind_header, (behind_header > 0 && text[behind_header - 1] == '\n' ? "" : "\n") +
                                  ("name = \"" + name + "\"\n"));
  }
  // Read back: an escape or a long string is not what it looks like.
  const auto after = read_tree(out, {});
  const ConfigNode* now = after ? only_peer(*after) : nullptr;
  if (now == nullptr || name_of(*now) != name) return by_hand();
  const bool named = child_of(*peer, "name", Kind::text) != nullptr;
  if (now->children.size() != peer->children.size() + (named ? 0 : 1)) return by_hand();
  return out;
}

}  // namespace tw::node
