// Reads one table of the tree, key by key. What was never asked for is unknown, and the names that
// were asked for are what a slip of the pen is compared with: so the schema stands in one place,
// the code that reads it.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "node/config/config_mistakes.h"
#include "node/config/config_tree.h"

namespace tw::node {

/// An element of a list, with the key that names it in mistakes: "peer[2].allowed_ips[1]".
template <typename T>
struct Listed {
  T value;
  std::string key;
};

/// Reads a value's text: one of config_values.h.
template <typename T>
using ValueReader = Parsed<T> (*)(std::string_view);

class TableReader {
 public:
  /// `key` is the table's own, empty for the root. Tree and list outlive the reader.
  TableReader(const ConfigNode& table, std::string key, MistakeList& mistakes);

  MistakeList& mistakes() const noexcept { return *mistakes_; }
  const std::string& key() const noexcept { return key_; }
  std::string key_of(std::string_view name) const;
  /// Whether the file has the key; does not count as asking for it.
  bool has(std::string_view name) const noexcept { return look_up(name) != nullptr; }

  // Each of these leaves `out` as it is, and says so, if the value is missing or wrong. A missing
  // value is no mistake: see require(). They return whether `out` was set.

  bool boolean(std::string_view name, bool& out);
  bool text(std::string_view name, std::string& out);
  /// A whole number of `unit`s.
  bool duration(std::string_view name, Duration& out, Duration unit, std::int64_t lowest,
                std::int64_t highest);
  bool seconds(std::string_view name, Duration& out, std::int64_t lowest, std::int64_t highest) {
    return duration(name, out, 1s, lowest, highest);
  }

  template <std::unsigned_integral T>
  bool number(std::string_view name, T& out, std::uint64_t lowest,
              std::uint64_t highest = std::numeric_limits<T>::max()) {
    std::uint64_t value = 0;
    if (!integer(name, value, lowest, highest)) return false;
    out = static_cast<T>(value);
    return true;
  }

  template <typename T>
  bool value(std::string_view name, T& out, ValueReader<std::type_identity_t<T>> read) {
    std::string written;
    if (!text(name, written)) return false;
    return accept(name, read(written), out);
  }

  /// A value that may be written as a number, without quotes, too.
  template <typename T>
  bool value_or_number(std::string_view name, T& out, ValueReader<std::type_identity_t<T>> read) {
    std::string digits;
    if (!number_text(name, digits)) return value(name, out, read);
    return accept(name, read(digits), out);
  }

  /// A list of strings. Elements that are wrong are left out of it.
  template <typename T>
  bool list(std::string_view name, std::vector<Listed<T>>& out, ValueReader<T> read) {
    const ConfigNode* node = elements(name);
    if (node == nullptr) return false;
    for (std::size_t i = 0; i < node->children.size(); ++i) {
      std::string key = element_key(name, i);
      const std::string* written = text_of(node->children[i], key);
      if (written == nullptr) continue;
      auto parsed = read(*written);
      if (parsed) {
        out.push_back({std::move(*parsed), std::move(key)});
      } else {
        mistakes_->add(std::move(key), parsed.error());
      }
    }
    return true;
  }

  /// The same where the keys of its elements are of no further use.
  template <typename T>
  bool list(std::string_view name, std::vector<T>& out, ValueReader<T> read) {
    std::vector<Listed<T>> listed;
    if (!list(name, listed, read)) return false;
    for (Listed<T>& element : listed) out.push_back(std::move(element.value));
    return true;
  }

  /// The list under `name`; null, and said, if it is something else. Remembers its elements.
  const ConfigNode* elements(std::string_view name);
  std::string element_key(std::string_view name, std::size_t index) const;
  /// The string that an element is; null, and said, if it is something else.
  const std::string* text_of(const ConfigNode& node, const std::string& key);

  /// [name]: empty if the file has none.
  TableReader table(std::string_view name);
  /// [[name]], in the order of the file.
  std::vector<TableReader> tables(std::string_view name);

  /// Says that `name` is missing, if it is.
  void require(std::string_view name, std::string mend);
  /// A key that people may expect to exist, and must not: says why not, if it is there.
  void forbid(std::string_view name, std::string what, std::string mend);
  /// Says what was never asked for. Call last.
  void close();

 private:
  template <typename T>
  bool accept(std::string_view name, Parsed<T> parsed, T& out) {
    if (!parsed) {
      mistakes_->add(key_of(name), parsed.error());
      return false;
    }
    out = std::move(*parsed);
    return true;
  }

  /// Whether the value is an integer; its digits.
  bool number_text(std::string_view name, std::string& out);
  const ConfigNode* look_up(std::string_view name) const noexcept;
  const ConfigNode* ask(std::string_view name);
  bool integer(std::string_view name, std::uint64_t& out, std::uint64_t lowest,
               std::uint64_t highest);
  void say_kind(const std::string& key, std::string_view wanted, const ConfigNode& node,
                std::string mend);

  const ConfigNode* table_;
  std::string key_;
  MistakeList* mistakes_;
  std::vector<std::string> asked_;
};

}  // namespace tw::node
