// Counters are named once, beside the struct that has them. describe(visit, counters) calls
// the visitor for each of them; one visitor makes JSON of it, one makes metrics, one the lines that
// `thalweg status` prints, and one the documentation. The functions are templates because most of
// these structs stand below the folders that know JSON or Prometheus.
//
// A visitor has:
//   number(name, value, Shown)       an integer; `name` is its key in JSON
//   flag(name, value, Shown)         true or false; 1 or 0 as a metric
//   maybe_flag(name, value, Shown)   the same of an optional: null, and no metric
//   text(name, value)                a word
//   text_or_null(name, value)        the same; null if it is empty
//   time(name, value, Shown)         a Duration, in microseconds; in seconds as a metric
//   histogram(name, value, Shown)    a LatencyHistogram
//   sample(value, Shown)             a metric that JSON does not have
//   declare(family)                  names a family that may have no sample
//   each(name, count, name_of, value_of, Shown, Zeros)   numbers that a list has names for
//   group(name, body)                an object; body() describes its members
//   optional(name, value, body)      an object, or null; body(value)
//   list(name, values, labels, body) a list of objects; labels(value) are those of its metrics
//   labelled(labels, body)           gives what body() describes further labels
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tw {

/// A family of metrics: samples that share a name, and are told apart by labels.
struct MetricFamily {
  enum class Type : std::uint8_t { counter, gauge, histogram };
  std::string_view name;  ///< without "thalweg_"
  std::string_view help;
  Type type = Type::counter;
};

/// A counter's places, besides JSON.
struct Shown {
  const MetricFamily* family = nullptr;  ///< null: it is no metric
  std::string_view label{}, value{};     ///< its own label in the family; empty: it has none
  std::string_view
      words{};            ///< behind the number, in the table of `thalweg status`; empty: not there
  bool is_bytes = false;  ///< the table shows it in KB, MB, …
};

/// The treatment in JSON of names whose count is 0. As metrics they always stand.
enum class Zeros : std::uint8_t { kept, left_out };

struct MetricLabel {
  std::string_view key;
  std::string value;
};
using MetricLabels = std::vector<MetricLabel>;

}  // namespace tw
