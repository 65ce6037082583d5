// The text of a journal entry: fields split by tabs, with '%', tabs and line ends escaped.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include "machine/journal.h"

namespace tw {
namespace {

template <typename... Alternatives>
struct Overloaded : Alternatives... {
  using Alternatives::operator()...;
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    if (byte == '%' || byte == '\t' || byte == '\n' || byte == '\r') {
      out += fmt::format("%{:02x}", static_cast<unsigned char>(byte));
    } else {
      out += byte;
    }
  }
  return out;
}

template <typename Number>
bool parse_number(std::string_view text, Number& value, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size();
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    std::uint8_t byte = 0;
    if (text.size() - at < 3 || !parse_number(text.substr(at + 1, 2), byte, 16)) return {};
    out += static_cast<char>(byte);
    at += 2;
  }
  return out;
}

std::vector<std::string> split(std::string_view line, bool& valid) {
  std::vector<std::string> fields;
  valid = true;
  while (true) {
    const std::size_t tab = line.find('\t');
    auto field = unescaped(line.substr(0, tab));
    valid = valid && field.has_value();
    fields.push_back(field.value_or(""));
    if (tab == std::string_view::npos) return fields;
    line.remove_prefix(tab + 1);
  }
}

/// Another's table is not for us to remove, whatever a journal says; and the name becomes a word of
/// a command, in which nothing else may follow.
bool is_our_table(std::string_view name) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  return name.starts_with("thalweg_") && name.find_first_not_of(letters) == std::string_view::npos;
}

}  // namespace

std::string to_line(const Change& change) {
  return std::visit(
      Overloaded{
          [](const RuleSpec& rule) {
            return fmt::format("rule\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                               rule.family == Family::v4 ? "v4" : "v6", rule.priority, rule.mark,
                               rule.table, escaped(rule.in_device), rule.inverted ? "not" : "is",
                               rule.suppressed_length);
          },
          [](const RouteSpec& route) {  // metrics do not matter for its removal
            return fmt::format("route\t{}\t{}\t{}\t{}", route.prefix.text(), escaped(route.device),
                               route.table, route.local ? "local" : "unicast");
          },
          [](const SysctlChange& sysctl) {
            return fmt::format("sysctl\t{}\t{}\t{}", escaped(sysctl.key), escaped(sysctl.old_value),
                               escaped(sysctl.value));
          },
          [](const TableChange& floor) { return fmt::format("table\t{}", escaped(floor.table)); }},
      change);
}

std::optional<Change> change_from_line(std::string_view line) {
  bool valid = false;
  const std::vector<std::string> field = split(line, valid);
  if (!valid) return {};
  // Six fields are from before there were rules that are inverted, or suppress.
  if (field[0] == "rule" && (field.size() == 6 || field.size() == 8)) {
    RuleSpec rule;
    rule.in_device = field[5];
    if (field[1] != "v4" && field[1] != "v6") return {};
    rule.family = field[1] == "v4" ? Family::v4 : Family::v6;
    if (!parse_number(field[2], rule.priority) || !parse_number(field[3], rule.mark) ||
        !parse_number(field[4], rule.table)) {
      return {};
    }
    if (field.size() == 6) return rule;
    if (field[6] != "not" && field[6] != "is") return {};
    if (!parse_number(field[7], rule.suppressed_length)) return {};
    rule.inverted = field[6] == "not";
    return rule;
  }
  if (field[0] == "route" && field.size() == 5) {
    RouteSpec route;
    route.device = field[2];
    const auto prefix = Prefix::parse(field[1]);
    if (!prefix || !parse_number(field[3], route.table)) return {};
    if (field[4] != "local" && field[4] != "unicast") return {};
    route.prefix = *prefix;
    route.local = field[4] == "local";
    return route;
  }
  if (field[0] == "sysctl" && field.size() == 4) {
    return SysctlChange{field[1], field[2], field[3]};
  }
  if (field[0] == "table" && field.size() == 2 && is_our_table(field[1])) {
    return TableChange{field[1]};
  }
  return {};
}

std::string describe(const Change& change) {
  return std::visit(
      Overloaded{
          [](const RuleSpec& rule) {
            return fmt::format("a routing rule to table {}", rule.table);
          },
          [](const RouteSpec& route) {
            return fmt::format("a route to {} in table {}", route.prefix.text(), route.table);
          },
          [](const SysctlChange& sysctl) {
            return fmt::format("{} = {} (before: {})", sysctl.key, sysctl.value, sysctl.old_value);
          },
          [](const TableChange& table) {
            return fmt::format(
                "the nftables table inet {}, which keeps closed what the node's "
                "policy judged",
                table.table);
          }},
      change);
}

}  // namespace tw
