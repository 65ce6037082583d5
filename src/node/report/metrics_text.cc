#include "node/report/metrics_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "node/report/describe_status.h"

namespace tw::node {
namespace {

// Bounds are powers of two in nanoseconds, from 65 µs to 2.4 h: there the counts are exact.
constexpr unsigned first_bound = 16, last_bound = 43;

prometheus::ClientMetric::Histogram histogram_of(const LatencyHistogram& latencies) {
  prometheus::ClientMetric::Histogram made;
  made.sample_count = latencies.count();
  made.sample_sum = static_cast<double>(latencies.sum_ns()) / 1e9;
  for (unsigned bound = first_bound; bound <= last_bound; ++bound) {
    prometheus::ClientMetric::Bucket bucket;
    bucket.upper_bound = static_cast<double>(std::uint64_t{1} << bound) / 1e9;
    made.bucket.push_back(bucket);
  }
  latencies.for_each_bucket([&](Duration end, std::uint64_t count) {
    for (unsigned bound = first_bound; bound <= last_bound; ++bound) {
      if (end.count() >> bound == 0) made.bucket[bound - first_bound].cumulative_count += count;
    }
  });
  return made;
}

prometheus::MetricType type_of(MetricFamily::Type type) noexcept {
  switch (type) {
    case MetricFamily::Type::counter:
      return prometheus::MetricType::Counter;
    case MetricFamily::Type::gauge:
      return prometheus::MetricType::Gauge;
    case MetricFamily::Type::histogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

/// Makes metrics of counters that describe themselves (base/describe.h).
class MetricsVisitor {
 public:
  std::vector<prometheus::MetricFamily> take() { return std::move(families_); }

  void number(std::string_view, auto value, const Shown& shown = {}) { sample(value, shown); }
  void flag(std::string_view, bool value, const Shown& shown = {}) { sample(value ? 1 : 0, shown); }
  void maybe_flag(std::string_view, std::optional<bool> value, const Shown& shown) {
    if (value) return sample(*value ? 1 : 0, shown);
    family(shown);
  }
  void text(std::string_view, std::string_view) {}
  void text_or_null(std::string_view, std::string_view) {}
  void texts(std::string_view, const auto&) {}
  void time(std::string_view, Duration value, const Shown& shown = {}) {
    sample(std::chrono::duration<double>(value).count(), shown);
  }
  void histogram(std::string_view, const LatencyHistogram& value, const Shown& shown) {
    if (prometheus::ClientMetric* const metric = add(shown)) {
      metric->histogram = histogram_of(value);
    }
  }
  void sample(auto value, const Shown& shown) {
    prometheus::ClientMetric* const metric = add(shown);
    if (metric == nullptr) return;
    if (shown.family->type == MetricFamily::Type::counter) {
      metric->counter.value = static_cast<double>(value);
    } else {
      metric->gauge.value = static_cast<double>(value);
    }
  }

  void each(std::string_view, std::size_t count, auto name_of, auto value_of, Shown shown, Zeros) {
    family(shown);
    for (std::size_t i = 0; i < count; ++i) {
      const auto name = name_of(i);
      shown.value = name;
      sample(value_of(i), shown);
    }
  }
  void group(std::string_view, auto body) { body(); }
  template <typename T>
  void optional(std::string_view, const std::optional<T>& value, auto body) {
    // A part that a PoP or a peer lacks has its families all the same; one that the node lacks has
    // none.
    if (value) return body(*value);
    if (!labels_.empty()) without_samples([&] { body(T{}); });
  }
  template <typename T>
  void list(std::string_view, const std::vector<T>& values, auto labels_of, auto body) {
    for (const T& value : values) labelled(labels_of(value), [&] { body(value); });
    if (values.empty()) without_samples([&] { labelled(labels_of(T{}), [&] { body(T{}); }); });
  }
  void labelled(const MetricLabels& labels, auto body) {
    const auto count = labels_.size();
    labels_.insert(labels_.end(), labels.begin(), labels.end());
    body();
    labels_.resize(count);
  }

 private:
  void without_samples(auto body) {
    const bool before = std::exchange(declares_, true);
    body();
    declares_ = before;
  }

  /// Returns the family; null if there is none.
  prometheus::MetricFamily* family(const Shown& shown) {
    if (shown.family == nullptr) return nullptr;
    const std::string name = "thalweg_" + std::string{shown.family->name};
    const auto known = std::ranges::find(families_, name, &prometheus::MetricFamily::name);
    if (known != families_.end()) return &*known;
    prometheus::MetricFamily& made = families_.emplace_back();
    made.name = name;
    made.help = shown.family->help;
    made.type = type_of(shown.family->type);
    return &made;
  }
  /// Returns a new metric with its labels, without its value; null if none is wanted.
  prometheus::ClientMetric* add(const Shown& shown) {
    prometheus::MetricFamily* const into = family(shown);
    if (into == nullptr || declares_) return nullptr;
    prometheus::ClientMetric& metric = into->metric.emplace_back();
    for (const MetricLabel& label : labels_) {
      metric.label.push_back({std::string{label.key}, label.value});
    }
    if (!shown.label.empty()) {
      metric.label.push_back({std::string{shown.label}, std::string{shown.value}});
    }
    return &metric;
  }

  std::vector<prometheus::MetricFamily> families_;
  MetricLabels labels_;    ///< of everything that is being described
  bool declares_ = false;  ///< families alone: there is nothing to count
};

}  // namespace

std::string to_metrics(const NodeStatus& status) {
  MetricsVisitor visitor;
  describe(visitor, status);
  return prometheus::TextSerializer{}.Serialize(visitor.take());
}

}  // namespace tw::node
