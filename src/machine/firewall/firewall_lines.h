// The parts that the texts of both tables have in common. Nobody else includes this.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "machine/firewall/firewall_match.h"
#include "machine/firewall/firewall_text.h"

namespace tw {

/// A table's text, grown line by line.
class FirewallLines {
 public:
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    text_ += "    ";
    text_ += fmt::format(format, std::forward<Args>(args)...);
    text_ += '\n';
  }
  void open_chain(std::string_view name, std::string_view hook = {}) {
    text_ += fmt::format("  chain {} {{\n", name);
    if (!hook.empty()) line("type {}; policy accept;", hook);
  }
  void close_chain() { text_ += "  }\n"; }
  void add(std::string_view raw) { text_ += raw; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// "overlay4" or "overlay6".
inline std::string family_set(std::string_view name, Family family) {
  return fmt::format("{}{}", name, family == Family::v4 ? 4 : 6);
}

inline bool has_family(const std::vector<OverlayRange>& ranges, Family family) {
  for (const OverlayRange& range : ranges) {
    if (range.first.family() == family) return true;
  }
  return false;
}

/// "set overlay4 { … }", to stand in a table's block. With `peers`, a map to their numbers.
void declare_ranges(FirewallLines& text, std::string_view name, Family family, bool peers);
/// Writes the lines behind the block: they replace whatever the set holds.
void fill_ranges(FirewallLines& text, std::string_view table, std::string_view name, Family family,
                 const std::vector<OverlayRange>& ranges, bool peers);

/// A line for each way to name a device that clients come by: "iif 7 VERDICT", …
void write_client_sides(FirewallLines& text, const FirewallSpec& spec, std::string_view verdict);

/// Lets pass what is no foreigner, if foreigners are dropped.
void write_forwarded_before(FirewallLines& text, const FirewallSpec& spec);

/// The priorities of our chains in the forward hook, in the order they run: all before other
/// tables' filters, which see marks as they were.
enum ForwardPriority {
  strip_at = -14,
  judge_at = -13,
  foreign_at = -12,
  floor_at = -11,
  clear_at = -10
};

}  // namespace tw
