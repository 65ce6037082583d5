// All keys of a configuration file as facts, whatever sections they are of: for `thalweg set`, for
// a reload, and for the documentation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "node/config/keys/key.h"

namespace tw::node {

struct KeyFacts {
  std::string_view table;  ///< "relay.pool"; "peer" for [[peer]]
  bool repeated = false;   ///< the table is a list of tables
  std::string_view name;
  std::string type;      ///< Markdown: "boolean", "1 to 600 seconds"
  std::string fallback;  ///< Markdown: the default; empty: the key is required
  Change change = Change::live;
  std::string_view help;

  /// Returns "relay.pool.low", and for a list of tables "peer[].name".
  std::string path() const;
};

/// Returns the keys in the order of the documentation.
const std::vector<KeyFacts>& all_keys();
/// Returns the key "relay.pool.low" of a table that is no list; null: there is none.
const KeyFacts* find_key(std::string_view path);

/// Returns the key that differs and cannot change while a node runs; empty: none does.
std::string needs_restart(const NodeConfig& now, const NodeConfig& next);

/// Returns the keys of a table as a table of Markdown; empty: there is no such table.
std::string key_table(std::string_view table);
/// Returns, as a table of Markdown, which keys take what to change.
std::string change_table();

}  // namespace tw::node
