#include "node/config/config_tree.h"

#include <toml++/toml.h>

#include <algorithm>
#include <exception>
#include <optional>

namespace tw::node {
namespace {

using Kind = ConfigNode::Kind;

/// The library frees nested tables by recursion, and a.a.a.a… nests without bound. Our deepest key,
/// relay.turbo, has one dot; the rest is room for addresses whose quotes were forgotten, which the
/// library reports better than we can.
constexpr std::size_t most_dots_a_line = 16;
constexpr std::size_t deepest_node = 64;

/// The index behind the string that begins with the quote at `start`.
std::size_t end_of_string(std::string_view text, std::size_t start) {
  const char quote = text[start];
  const std::string_view threefold = quote == '"' ? R"(""")" : "'''";
  const bool is_long = text.substr(start).starts_with(threefold);
  const std::string_view closing = is_long ? threefold : threefold.substr(0, 1);
  std::size_t at = start + closing.size();
  while (at < text.size()) {
    if (!is_long && text[at] == '\n') return at;
    if (text.substr(at).starts_with(closing)) {
      at += closing.size();
      // Up to two quotes more belong to the content of a long string.
      for (int more = 0; is_long && more < 2 && at < text.size() && text[at] == quote; ++more) ++at;
      return at;
    }
    at += text[at] == '\\' && quote == '"' ? 2 : 1;
  }
  return text.size();
}

std::optional<Place> find_deep_key(std::string_view text) {
  Place place{.line = 1, .column = 1};
  std::size_t line_start = 0, dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t next = at + 1;
    if (text[at] == '#') {
      next = std::min(text.find('\n', at), text.size());
    } else if (text[at] == '"' || text[at] == '\'') {
      next = std::min(end_of_string(text, at), text.size());
      const auto lines = std::ranges::count(text.substr(at, next - at), '\n');
      place.line += static_cast<std::uint32_t>(lines);
    } else if (text[at] == '\n') {
      ++place.line;
      line_start = next;
      dots = 0;
    } else if (text[at] == '.' && ++dots > most_dots_a_line) {
      place.column = static_cast<std::uint32_t>(at - std::min(at, line_start) + 1);
      return place;
    }
    at = next;
  }
  return {};
}

Place place_of(const toml::source_region& region) {
  return {.line = region.begin.line, .column = region.begin.column};
}

Kind kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::boolean:
      return Kind::boolean;
    case toml::node_type::integer:
      return Kind::integer;
    case toml::node_type::string:
      return Kind::text;
    case toml::node_type::array:
      return Kind::list;
    case toml::node_type::table:
      return Kind::table;
    case toml::node_type::floating_point:
      return Kind::floating;
    default:
      return Kind::date;
  }
}

/// False if the node is nested deeper than we follow.
bool copy(const toml::node& from, ConfigNode& to, std::size_t depth) {
  if (depth > deepest_node) return false;
  to.kind = kind_of(from);
  to.place = place_of(from.source());
  if (const auto* boolean = from.as_boolean()) to.boolean = boolean->get();
  if (const auto* integer = from.as_integer()) to.integer = integer->get();
  if (const auto* text = from.as_string()) to.text = text->get();
  if (const auto* list = from.as_array()) {
    to.children.resize(list->size());
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (!copy((*list)[i], to.children[i], depth + 1)) return false;
    }
  }
  if (const auto* table = from.as_table()) {
    for (const auto& [key, value] : *table) {
      ConfigNode& child = to.children.emplace_back();
      child.name = key.str();
      child.name_place = place_of(key.source());
      if (!copy(value, child, depth + 1)) return false;
    }
  }
  return true;
}

/// The library quotes what it stumbled over, control characters and all; and that may be a key that
/// was written without quotes.
std::string quotable(std::string_view description) {
  const auto ends_word = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\''; };
  std::string out;
  for (std::size_t at = 0; at < description.size();) {
    std::size_t end = at;
    while (end < description.size() && !ends_word(description[end])) ++end;
    out += end - at > 20 ? "…" : description.substr(at, end - at);
    if (end < description.size()) out += description[end] == '\'' ? '\'' : ' ';
    at = end + 1;
  }
  return out;
}

ConfigMistake syntax_mistake(const std::string& file, Place place, std::string what,
                             std::string mend) {
  return {.file = file,
          .line = place.line,
          .column = place.column,
          .key = {},
          .what = std::move(what),
          .mend = std::move(mend)};
}

ConfigMistake too_deep(const std::string& file, Place place) {
  return syntax_mistake(file, place, "nested deeper than any key of ours",
                        R"(quote strings such as "10.0.0.0/8", and see docs/configuration.md)");
}

}  // namespace

std::string_view kind_name(Kind kind) noexcept {
  switch (kind) {
    case Kind::boolean:
      return "a boolean";
    case Kind::integer:
      return "an integer";
    case Kind::text:
      return "a string";
    case Kind::list:
      return "a list";
    case Kind::table:
      return "a table";
    case Kind::floating:
      return "a fraction";
    case Kind::date:
      break;
  }
  return "a date or time";
}

std::expected<ConfigNode, ConfigMistake> read_tree(std::string_view text, const std::string& file) {
  if (text.size() > largest_config_bytes) {
    return std::unexpected{syntax_mistake(file, {}, "larger than 16 MiB", "is it the right file?")};
  }
  if (const auto deep = find_deep_key(text)) return std::unexpected{too_deep(file, *deep)};
  // The library as Debian builds it reports by exception, and by no other way.
  try {
    const toml::table table = toml::parse(text);
    ConfigNode root;
    if (!copy(table, root, 0)) return std::unexpected{too_deep(file, {})};
    return root;
  } catch (const toml::parse_error& error) {
    return std::unexpected{syntax_mistake(file, place_of(error.source()),
                                          "not TOML: " + quotable(error.description()),
                                          "mend the syntax; the rest is checked after that")};
  } catch (const std::exception& error) {
    return std::unexpected{syntax_mistake(file, {}, "cannot be parsed", error.what())};
  }
}

}  // namespace tw::node
