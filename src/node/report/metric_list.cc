#include "node/report/metric_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "node/report/describe_status.h"

namespace tw::node {
namespace {

constexpr std::array<std::string_view, 3> type_names{"counter", "gauge", "histogram"};

void add_once(std::vector<std::string>& list, std::string text) {
  if (!text.empty() && std::ranges::find(list, text) == list.end()) list.push_back(std::move(text));
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "`" : ", `") + word + '`';
  return text;
}

/// One row of the table.
struct Row {
  const MetricFamily* family;
  std::vector<std::string> labels, keys;
};

/// Lists counters that describe themselves (base/describe.h), whatever they have counted.
class ListVisitor {
 public:
  const std::vector<Row>& rows() const noexcept { return rows_; }

  void number(std::string_view name, auto, const Shown& shown = {}) { add(name, shown); }
  void flag(std::string_view name, bool, const Shown& shown = {}) { add(name, shown); }
  void maybe_flag(std::string_view name, std::optional<bool>, const Shown& shown) {
    add(name, shown);
  }
  void text(std::string_view, std::string_view) {}
  void text_or_null(std::string_view, std::string_view) {}
  void texts(std::string_view, const auto&) {}
  void time(std::string_view name, Duration, const Shown& shown = {}) { add(name, shown); }
  void histogram(std::string_view name, const LatencyHistogram&, const Shown& shown) {
    add(name, shown);
  }
  void sample(auto, const Shown& shown) { add({}, shown); }
  void each(std::string_view name, std::size_t, auto, auto, const Shown& shown, Zeros) {
    add(name, {.family = shown.family, .label = shown.label});
  }
  void group(std::string_view name, auto body) {
    const auto length = path_.size();
    path_.append(name).append(".");
    body();
    path_.resize(length);
  }
  template <typename T>
  void optional(std::string_view name, const std::optional<T>&, auto body) {
    group(name, [&] { body(T{}); });
  }
  template <typename T>
  void list(std::string_view name, const std::vector<T>&, auto labels_of, auto body) {
    labelled(labels_of(T{}), [&] { group(std::string{name} + "[]", [&] { body(T{}); }); });
  }
  void labelled(const MetricLabels& labels, auto body) {
    const auto count = labels_.size();
    labels_.insert(labels_.end(), labels.begin(), labels.end());
    body();
    labels_.resize(count);
  }

 private:
  /// An empty name: JSON does not have it.
  void add(std::string_view name, const Shown& shown) {
    if (shown.family == nullptr) return;
    auto row = std::ranges::find(rows_, shown.family, &Row::family);
    if (row == rows_.end()) row = rows_.insert(row, {.family = shown.family, .labels{}, .keys{}});
    for (const MetricLabel& label : labels_) {
      add_once(row->labels, label.value.empty() ? std::string{label.key}
                                                : fmt::format("{}={}", label.key, label.value));
    }
    if (!shown.label.empty()) {
      add_once(row->labels, shown.value.empty() ? std::string{shown.label}
                                                : fmt::format("{}={}", shown.label, shown.value));
    }
    if (!name.empty()) add_once(row->keys, path_ + std::string{name});
  }

  std::vector<Row> rows_;
  std::string path_;
  MetricLabels labels_;
};

}  // namespace

std::string metric_table() {
  ListVisitor visitor;
  describe(visitor, NodeStatus{});
  std::string text = "| metric | type | labels | in JSON | meaning |\n|---|---|---|---|---|\n";
  for (const Row& row : visitor.rows()) {
    text += fmt::format("| `thalweg_{}` | {} | {} | {} | {} |\n", row.family->name,
                        type_names[static_cast<std::size_t>(row.family->type)], joined(row.labels),
                        joined(row.keys), row.family->help);
  }
  return text;
}

}  // namespace tw::node
