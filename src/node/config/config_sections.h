// The sections of a configuration file, read one by one into a draft: values that are each right by
// themselves. Whether they fit each other is asked afterwards (config_checks.h).
#pragma once

#include <string>
#include <vector>

#include "node/config/config.h"
#include "node/config/config_reader.h"

namespace tw::node {

/// A [[peer]] that keeps the keys of its allowed IPs.
struct PeerDraft {
  PeerConfig peer;  ///< without its allowed IPs
  std::string key;  ///< "peer[1]"
  std::vector<Listed<Prefix>> allowed_ips;
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
  std::vector<PopDraft> pops;

  /// The configuration, put together.
  NodeConfig finish() &&;
};

/// [node], [tunnel], [workers], [[peer]] and [gateway]. Key files are relative to `folder`.
void read_tunnel_sections(TableReader& root, const std::string& folder, ConfigDraft& draft);
/// [relay], [[pop]] and [[policy]], whose rules may name the peers that are in the draft already.
void read_relay_sections(TableReader& root, ConfigDraft& draft);

/// [relay] alone; what the file does not name stays as it is, but lists grow.
void read_relay_settings(TableReader& root, RelayConfig& relay);

/// Returns the name of a peer that has none of its own: the first 8 characters of its key.
std::string default_name(const crypto::PublicKey& key);

}  // namespace tw::node
