// The sections of a configuration file, read one by one into a draft: values that are each right by
// themselves. Whether they fit each other is asked afterwards (config_checks.h).
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "node/config/config.h"
#include "node/config/config_reader.h"

namespace tw::node {

/// A [[peer]] that keeps the keys of its allowed IPs.
struct PeerDraft {
  PeerConfig peer;  ///< without its allowed IPs
  std::string key;  ///< "peer[1]"
  std::vector<Listed<Prefix>> allowed_ips;
  MistakeList* included =
      nullptr;  ///< of the included file that it stands in; null: of the main one

  /// The list that the peer's mistakes belong to; `main` is the main file's.
  MistakeList& mistakes(MistakeList& main) const noexcept {
    return included == nullptr ? main : *included;
  }
  /// The peer's key, for whoever mends the main file.
  std::string seen_from(MistakeList& main) const {
    return key_seen_from(main, key, mistakes(main));
  }
};

/// A [[group]]: names of peers that rules name together. Only the reader knows of groups: rules are
/// made of what their peers have.
struct GroupDraft {
  std::string name;
  std::string key;  ///< "group[1]"
  std::vector<Listed<std::string>> peers;
  MistakeList* included = nullptr;  ///< as of a peer
};

/// A [[pop]] that keeps the keys of its routes and clients.
struct PopDraft {
  PopConfig pop;  ///< without those
  std::string key;
  std::vector<Listed<Prefix>> routes, clients;
  bool has_overlay_address = false;
};

struct ConfigDraft {
  NodeConfig config;  ///< without what follows
  std::vector<Listed<InterfaceAddress>> addresses;
  std::vector<PeerDraft> peers;
  std::vector<GroupDraft> groups;
  std::vector<PopDraft> pops;
  std::vector<Listed<std::string>> includes;                       ///< of [tunnel] include
  std::deque<MistakeList> included;                                ///< of each included file
  std::unordered_map<std::string_view, const PeerDraft*> by_name;  ///< all peers: index_peers()

  /// Call when all peers are there; none may be added after that.
  void index_peers();

  /// The configuration, put together.
  NodeConfig finish() &&;
};

/// [node], [tunnel], [workers], [[peer]], [[group]] and [gateway]. Key files are relative to
/// `folder`.
void read_tunnel_sections(TableReader& root, const std::string& folder, ConfigDraft& draft);
/// [[peer]] and [[group]] of the main file, or of the included one whose list of mistakes is the
/// draft's last.
void read_peers(TableReader& root, const std::string& folder, ConfigDraft& draft);
/// [relay], [[pop]] and [[policy]], whose rules may name the peers and groups that are in the
/// draft.
void read_relay_sections(TableReader& root, ConfigDraft& draft);

/// [relay] alone; what the file does not name stays as it is, but lists grow.
void read_relay_settings(TableReader& root, RelayConfig& relay);

/// Returns the name of a peer that has none of its own: the first 8 characters of its key.
std::string default_name(const crypto::PublicKey& key);

}  // namespace tw::node
