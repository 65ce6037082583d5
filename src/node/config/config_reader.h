// Reads one table of the tree, key by key. A name of the file that was never asked for is unknown,
// and is compared with those that were. The keys stand in keys/tunnel_keys.h and
// keys/relay_keys.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/config/config_mistakes.h"
#include "node/config/config_tree.h"

namespace tw::node {

/// An element of a list, with the key that names it in mistakes: "peer[2].allowed_ips[1]".
template <typename T>
struct Listed {
  T value;
  std::string key;
  friend bool operator==(const Listed&, const Listed&) noexcept = default;
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
  /// True if the file has the key; does not count as asking for it.
  bool has(std::string_view name) const noexcept { return look_up(name) != nullptr; }

  // Each of these leaves `out` as it is, and says so, if the value is missing or wrong. A missing
  // value is no mistake: see require(). They return whether `out` was set.

  bool boolean(std::string_view name, bool& out);
  bool text(std::string_view name, std::string& out);
  /// A whole number within bounds; a mistake names them, and the unit if there is one.
  bool number(std::string_view name, std::uint64_t& out, std::uint64_t lowest,
              std::uint64_t highest, std::string_view unit = {});
  /// The digits of a number; false, without a mistake, if the value is of another kind.
  bool number_text(std::string_view name, std::string& out);

  /// Sets `out` to what a value's reader has made of it, or adds the mistake.
  template <typename T, typename Out>
  bool accept(std::string_view name, Parsed<T> parsed, Out& out) {
    if (!parsed) {
      mistakes_->add(key_of(name), parsed.error());
      return false;
    }
    out = std::move(*parsed);
    return true;
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
  const ConfigNode* look_up(std::string_view name) const noexcept;
  const ConfigNode* ask(std::string_view name);
  void say_kind(const std::string& key, std::string_view wanted, const ConfigNode& node,
                std::string mend);

  const ConfigNode* table_;
  std::string key_;
  MistakeList* mistakes_;
  std::vector<std::string> asked_;
};

}  // namespace tw::node
