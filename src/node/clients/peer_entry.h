// The [[peer]] of a client as text of a file of its own, and where the peers of a configuration
// stand. Works on texts: what is not the entry itself is kept to the byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "node/config/config.h"

namespace tw::node {

/// Where a [[peer]] stands.
struct PeerPlace {
  std::string name;
  std::string file;
  std::uint32_t line = 0;
  bool included = false;  ///< in a file of [tunnel] include
  bool alone = false;     ///< the file holds nothing else
};

/// A name that is a file's as well: 1 to 60 letters, digits and . _ -, of which the last two do not
/// begin it. Says what is wrong with one that is none.
Result<void> check_client_name(std::string_view name);

/// The text of a file that holds this peer alone.
std::string peer_entry(const std::string& name, const crypto::PublicKey& key,
                       const std::vector<IpAddress>& addresses);

/// The path where `name`'s file belongs: in the first folder of `patterns` (of [tunnel] include of
/// `config_file`) whose pattern takes it; nothing if there is none.
std::optional<std::string> peer_path(const std::string& config_file,
                                     const std::vector<std::string>& patterns,
                                     std::string_view name);

/// Where each peer stands, in the order of the configuration, which must be right. Reads the files.
Result<std::vector<PeerPlace>> peer_places(const std::string& config_file,
                                           const std::vector<std::string>& patterns);

/// `text` with the one peer in it under another name. Fails if it is written in a way that we would
/// have to guess at.
Result<std::string> renamed(const std::string& text, const std::string& name);

}  // namespace tw::node
