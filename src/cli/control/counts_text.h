// Lines of a table out of a node's JSON: which counters, and in which words, is theirs to say
// (base/describe.h).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/describe.h"
#include "base/time.h"

namespace tw::cli {

/// "512 B", "1.5 KB", …
std::string bytes_text(std::uint64_t bytes);

/// Collects the numbers that have words, of one object of JSON. It does not look into objects
/// inside.
class CountsVisitor {
 public:
  explicit CountsVisitor(const nlohmann::json& object) : object_(&object) {}

  struct Count {
    std::string text;
    std::string_view words;
  };
  const std::vector<Count>& counts() const noexcept { return counts_; }

  void number(std::string_view name, auto, const Shown& shown = {}) {
    if (shown.words.empty()) return;
    const nlohmann::json& value = object_->at(std::string{name});
    counts_.push_back({shown.is_bytes ? bytes_text(value.get<std::uint64_t>())
                                      : std::to_string(value.get<std::int64_t>()),
                       shown.words});
  }
  void flag(std::string_view, bool, const Shown& = {}) {}
  void maybe_flag(std::string_view, const auto&, const Shown&) {}
  void text(std::string_view, std::string_view) {}
  void text_or_null(std::string_view, std::string_view) {}
  void texts(std::string_view, const auto&) {}
  void time(std::string_view, Duration, const Shown& = {}) {}
  void histogram(std::string_view, const auto&, const Shown&) {}
  void sample(auto, const Shown&) {}
  void each(std::string_view, std::size_t, auto, auto, const Shown&, Zeros) {}
  void group(std::string_view, auto) {}
  void optional(std::string_view, const auto&, auto) {}
  void list(std::string_view, const auto&, auto, auto) {}
  void labelled(const MetricLabels&, auto body) { body(); }

 private:
  const nlohmann::json* object_;
  std::vector<Count> counts_;
};

/// Returns the counters of a T that have words, from its JSON: "3 seen, 2 begun".
template <typename T>
std::string counts_text(const nlohmann::json& object) {
  CountsVisitor visitor{object};
  describe(visitor, T{});
  std::string text;
  for (const auto& [number, words] : visitor.counts()) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", number, words);
  }
  return text;
}

/// Returns the same counters as columns: their words as a heading, or their numbers.
template <typename T>
std::string columns_text(const nlohmann::json& object, bool heading) {
  CountsVisitor visitor{object};
  describe(visitor, T{});
  std::string text;
  for (const auto& [number, words] : visitor.counts()) {
    text += fmt::format(" {:>10}", heading ? words : std::string_view{number});
  }
  return text;
}

}  // namespace tw::cli
