#include "node/report/status.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "node/report/describe_status.h"

namespace tw::node {
namespace {

using Json = nlohmann::ordered_json;

double microseconds(Duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

Json histogram_json(const LatencyHistogram& histogram) {
  Json buckets = Json::array();
  histogram.for_each_bucket(
      [&](Duration end, std::uint64_t count) { buckets.push_back({microseconds(end), count}); });
  return {{"count", histogram.count()},
          {"sum_us", static_cast<double>(histogram.sum_ns()) / 1e3},
          {"p50_us", microseconds(histogram.percentile(0.5))},
          {"p95_us", microseconds(histogram.percentile(0.95))},
          {"p99_us", microseconds(histogram.percentile(0.99))},
          {"max_us", microseconds(histogram.max())},
          {"buckets", std::move(buckets)}};
}

/// Makes JSON of counters that describe themselves (base/describe.h).
class JsonVisitor {
 public:
  explicit JsonVisitor(Json& object) : at_(&object) { *at_ = Json::object(); }

  void number(std::string_view name, auto value, const Shown& = {}) { set(name, value); }
  void flag(std::string_view name, bool value, const Shown& = {}) { set(name, value); }
  void maybe_flag(std::string_view name, std::optional<bool> value, const Shown&) {
    set(name, value ? Json(*value) : Json());
  }
  void text(std::string_view name, std::string_view value) { set(name, value); }
  void text_or_null(std::string_view name, std::string_view value) {
    set(name, value.empty() ? Json() : Json(value));
  }
  void texts(std::string_view name, const auto& values) { set(name, Json(values)); }
  void time(std::string_view name, Duration value, const Shown& = {}) {
    set(name, std::chrono::duration_cast<std::chrono::microseconds>(value).count());
  }
  void histogram(std::string_view name, const LatencyHistogram& value, const Shown&) {
    set(name, histogram_json(value));
  }
  void sample(auto, const Shown&) {}

  void each(std::string_view name, std::size_t count, auto name_of, auto value_of, const Shown&,
            Zeros zeros) {
    group(name, [&] {
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t value = value_of(i);
        if (value != 0 || zeros == Zeros::kept) set(name_of(i), value);
      }
    });
  }
  /// A name that is there already goes on where it ended.
  void group(std::string_view name, auto body) {
    Json& inside = (*at_)[std::string{name}];
    if (inside.is_null()) inside = Json::object();
    within(inside, body);
  }
  template <typename T>
  void optional(std::string_view name, const std::optional<T>& value, auto body) {
    if (value) {
      group(name, [&] { body(*value); });
    } else {
      set(name, Json());
    }
  }
  template <typename T>
  void list(std::string_view name, const std::vector<T>& values, auto, auto body) {
    Json list = Json::array();
    for (const T& value : values) {
      Json element = Json::object();
      within(element, [&] { body(value); });
      list.push_back(std::move(element));
    }
    set(name, std::move(list));
  }
  void labelled(const MetricLabels&, auto body) { body(); }

 private:
  void set(std::string_view name, auto&& value) {
    (*at_)[std::string{name}] = std::forward<decltype(value)>(value);
  }
  void within(Json& object, auto&& body) {
    Json* const outside = std::exchange(at_, &object);
    body();
    at_ = outside;
  }

  Json* at_;  ///< the object that is being filled
};

}  // namespace

std::string to_json(const NodeStatus& status) {
  Json json;
  JsonVisitor visitor{json};
  describe(visitor, status);
  // Names come from files and the wire: text that is not UTF-8 must not throw.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tw::node
