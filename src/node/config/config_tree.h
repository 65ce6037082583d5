// A TOML text as a tree of plain values that know where they stand. Only config_tree.cc sees the
// TOML library; what reads sections sees this.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "node/config/config_mistakes.h"

namespace tw::node {

struct ConfigNode {
  enum class Kind : std::uint8_t { boolean, integer, text, list, table, floating, date };

  std::string name;  ///< in its table; empty in a list
  Place name_place;
  Place place;  ///< of the value
  Kind kind = Kind::table;
  bool boolean = false;
  std::int64_t integer = 0;
  std::string text;
  std::vector<ConfigNode> children;  ///< of a list in order, of a table by name
};

/// "a string", "an integer", …: what a kind is called in a message.
std::string_view kind_name(ConfigNode::Kind kind) noexcept;

/// A text above this is refused unread: 64 thousand peers fit.
inline constexpr std::size_t largest_config_bytes = 16U << 20U;

/// The tree's root is a table. A text that is not TOML is one mistake, the first; its message never
/// holds more than a few characters of the text.
std::expected<ConfigNode, ConfigMistake> read_tree(std::string_view text, const std::string& file);

}  // namespace tw::node
