// One key of a configuration file: everything that is known of it, and the function that reads it.
// The tables of keys are keys/tunnel_keys.h and keys/relay_keys.h. The reader, `thalweg set`,
// reload and the tables of the documentation come from them.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "node/config/config_sections.h"
#include "node/config/keys/words.h"

namespace tw::node {

/// The least that a change of a key takes.
enum class Change : std::uint8_t {
  live,     ///< a reload, while everything goes on; for keys of [relay] `thalweg set`, too
  relay,    ///< a reload, which opens the relay's listening sockets anew; not `thalweg set`
  restart,  ///< a new start of the node
};
inline constexpr std::array<std::string_view, 3> change_names{"live", "relay", "restart"};

/// The table that is being read, and what else its keys may need.
struct KeyReading {
  TableReader& table;
  ConfigDraft& draft;
  const std::string& folder;  ///< names of key files are relative to it
};

template <typename Section>
struct Key;

/// The kind of values that a key of `Section` has; made by Kinds<Section>.
template <typename Section>
struct Kind {
  std::string_view type;                  ///< as the documentation calls it; empty: the bounds
  std::string (*words)() = nullptr;       ///< makes `type` of a list of words, if there is one
  std::uint64_t lowest = 0, highest = 0;  ///< of a number
  std::string_view unit{};                ///< of a number; empty: it counts things
  /// Returns whether the key was there and its value was right. Else the mistake has been added.
  bool (*read)(KeyReading&, const Key<Section>&, Section&) = nullptr;
  /// Returns the value as the file has it; empty if there is none, or no text for it.
  std::string (*shown)(const Section&) = nullptr;
  bool (*same)(const Section&, const Section&) = nullptr;
};

template <typename Section>
struct Key {
  std::string_view name;
  Kind<Section> kind;
  Change change = Change::live;
  std::string_view help{};       ///< Markdown, one line
  std::string_view otherwise{};  ///< the default, where the value of a new Section does not say it
  std::string_view required{};   ///< remedy if it is missing; empty: it may be
};

/// Makes kinds for a section. `Path` leads from the section to a member of a member of it.
template <typename Section>
struct Kinds {
  static constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();

  template <auto... Path>
  static constexpr Kind<Section> boolean() {
    return {.type = "boolean",
            .read =
                [](KeyReading& at, const Key<Section>& key, Section& section) {
                  return at.table.boolean(key.name, field<Path...>(section));
                },
            .shown = [](const Section& section) -> std::string {
              return field<Path...>(section) ? "true" : "false";
            },
            .same = same<Path...>};
  }

  /// A whole number. Without `highest`: as far as its type goes.
  template <auto... Path>
  static constexpr Kind<Section> number(std::uint64_t lowest, std::uint64_t highest = any,
                                        std::string_view unit = {}) {
    return scaled<1, Path...>(lowest, highest, unit);
  }
  template <auto... Path>
  static constexpr Kind<Section> seconds(std::uint64_t lowest, std::uint64_t highest) {
    return scaled<1'000'000'000, Path...>(lowest, highest, "seconds");
  }
  template <auto... Path>
  static constexpr Kind<Section> microseconds(std::uint64_t lowest, std::uint64_t highest) {
    return scaled<1000, Path...>(lowest, highest, "microseconds");
  }
  /// The member has bits a second.
  template <auto... Path>
  static constexpr Kind<Section> megabits(std::uint64_t lowest, std::uint64_t highest) {
    return scaled<1'000'000, Path...>(lowest, highest, "Mbps");
  }

  /// One of the words of words.h.
  template <const auto& Words, auto... Path>
  static constexpr Kind<Section> word() {
    return {.type = {},
            .words = [] { return list_of(Words); },
            .read =
                [](KeyReading& at, const Key<Section>& key, Section& section) {
                  std::string text;
                  if (!at.table.text(key.name, text)) return false;
                  return at.table.accept(key.name, read_word(text, Words), field<Path...>(section));
                },
            .shown = [](const Section& section) -> std::string {
              return '"' + std::string{word_of(field<Path...>(section), Words)} + '"';
            },
            .same = same<Path...>};
  }

  /// A string that `Read` of config_values.h reads.
  template <auto Read, auto... Path>
  static constexpr Kind<Section> text(std::string_view type) {
    return {.type = type,
            .read =
                [](KeyReading& at, const Key<Section>& key, Section& section) {
                  std::string text;
                  if (!at.table.text(key.name, text)) return false;
                  return at.table.accept(key.name, Read(text), field<Path...>(section));
                },
            .shown = [](const Section& section) -> std::string {
              return text_of(field<Path...>(section));
            },
            .same = same<Path...>};
  }

  /// A list of such strings. It takes the place of a list that was there before.
  template <auto Read, auto... Path>
  static constexpr Kind<Section> list(std::string_view type) {
    return {.type = type,
            .read =
                [](KeyReading& at, const Key<Section>& key, Section& section) {
                  auto& elements = field<Path...>(section);
                  if (at.table.has(key.name)) elements.clear();
                  return at.table.list(key.name, elements, Read);
                },
            .shown = [](const Section& section) -> std::string {
              return field<Path...>(section).empty() ? "[]" : "";
            },
            .same = same<Path...>};
  }

  /// A value with a reader of its own, which is at `Path`. Without one changes of it are not
  /// noticed: not for Change::restart.
  template <bool (*Read)(KeyReading&, const Key<Section>&, Section&), auto... Path>
  static constexpr Kind<Section> special(std::string_view type) {
    return {.type = type,
            .read = Read,
            .shown = [](const Section&) { return std::string{}; },
            .same =
                [](const Section& one, const Section& other) {
                  if constexpr (sizeof...(Path) == 0) {
                    return true;
                  } else {
                    return same<Path...>(one, other);
                  }
                }};
  }

 private:
  template <auto First, auto... More, typename Of>
  static constexpr auto& field(Of& of) {
    if constexpr (sizeof...(More) == 0) {
      return of.*First;
    } else {
      return field<More...>(of.*First);
    }
  }

  template <auto... Path>
  static bool same(const Section& one, const Section& other) {
    return field<Path...>(one) == field<Path...>(other);
  }

  /// The file has the number of `Unit`s; a Duration's are nanoseconds.
  template <std::int64_t Unit, auto... Path>
  static constexpr Kind<Section> scaled(std::uint64_t lowest, std::uint64_t highest,
                                        std::string_view unit) {
    using Value = std::remove_cvref_t<decltype(field<Path...>(std::declval<Section&>()))>;
    if constexpr (std::unsigned_integral<Value>) {
      constexpr std::uint64_t largest = std::numeric_limits<Value>::max() / Unit;
      highest = highest < largest ? highest : largest;
    }
    return {.type = {},
            .lowest = lowest,
            .highest = highest,
            .unit = unit,
            .read =
                [](KeyReading& at, const Key<Section>& key, Section& section) {
                  std::uint64_t count = 0;
                  if (!at.table.number(key.name, count, key.kind.lowest, key.kind.highest,
                                       key.kind.unit)) {
                    return false;
                  }
                  field<Path...>(section) = from_count<Value, Unit>(count);
                  return true;
                },
            .shown = [](const Section& section) -> std::string {
              return std::to_string(to_count<Unit>(field<Path...>(section)));
            },
            .same = same<Path...>};
  }

  template <typename Value, std::int64_t Unit>
  static constexpr Value from_count(std::uint64_t count) {
    if constexpr (std::same_as<Value, Duration>) {
      return Duration{static_cast<std::int64_t>(count) * Unit};
    } else {
      return static_cast<Value>(count * static_cast<std::uint64_t>(Unit));
    }
  }
  template <std::int64_t Unit, typename Value>
  static constexpr std::uint64_t to_count(const Value& value) {
    if constexpr (std::same_as<Value, Duration>) {
      return static_cast<std::uint64_t>(value.count() / Unit);
    } else {
      return static_cast<std::uint64_t>(value) / static_cast<std::uint64_t>(Unit);
    }
  }

  template <typename Value>
  static std::string text_of(const Value& value) {
    if constexpr (std::same_as<Value, std::string>) {
      return value.empty() ? "" : '"' + value + '"';
    } else {
      return {};
    }
  }
};

/// The names of keys that were there and right.
struct KeysRead {
  std::vector<std::string_view> names;
  bool has(std::string_view name) const noexcept {
    return std::ranges::find(names, name) != names.end();
  }
};

/// Reads the keys of a table into its section, and says which are missing that must not be.
template <typename Section>
KeysRead read_keys(KeyReading at, const auto& keys, Section& section) {
  KeysRead read;
  for (const Key<Section>& key : keys) {
    if (!key.required.empty()) at.table.require(key.name, std::string{key.required});
    if (key.kind.read(at, key, section)) read.names.push_back(key.name);
  }
  return read;
}

}  // namespace tw::node
