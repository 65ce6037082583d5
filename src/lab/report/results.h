// The measurements of a run in their order, and a row for each
// level with the mean of its figures and how sure that is.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/statistics.h"
#include "base/time.h"

namespace tw::lab {

/// Something that tells one row from another: {"bytes", 10000}, {"path", "relayed"}.
struct Label {
  std::string name;
  std::variant<std::string, std::uint64_t, double> value;

  std::string text() const;
};

/// One thing to measure: once in every round.
struct Level {
  std::string title;  ///< "1 MB relayed", for the progress line
  std::vector<Label> labels{};
  Duration expected = 1s;  ///< that a measurement takes, for the time left
};

/// The round in which a level is measured.
struct Round {
  std::uint32_t number = 0;  ///< from 0; warm-up rounds are numbered by themselves
  bool counted = true;
};

/// Figures of one measurement by name. Units end the name: "ttfb_ms".
using Figures = std::vector<std::pair<std::string, double>>;

struct Measured {
  Figures figures{};
  bool failed = false;  ///< then there are no figures
};

struct Measurement {
  std::size_t level = 0;  ///< place in Results::levels
  Round round{};
  Measured measured{};
  double stolen = 0;  ///< share of the machine's time that the host took meanwhile
  bool disturbed = false;

  bool counts() const noexcept { return round.counted && !measured.failed; }
};

struct Estimate {
  std::string name;
  std::vector<double> values{};  ///< in the order in which they were measured
  MeanInterval mean{};
};

/// All counted measurements of one level. Figures are in the order in which they first came.
struct ResultRow {
  std::size_t level = 0;
  std::vector<Estimate> estimates{};
  std::size_t failed = 0;
  std::size_t disturbed = 0;
};

struct Results {
  std::vector<Level> levels{};
  std::vector<Measurement> measurements{};
  bool interrupted = false;
  /// Disturbed measurements of a level are in no figure if others could take their place.
  bool leaves_out_disturbed = false;

  /// Counted measurements that did not fail, of a level.
  std::size_t count_of(std::size_t level) const noexcept;
  /// Levels that were not measured have no row.
  std::vector<ResultRow> rows() const;
  ResultRow row_of(std::size_t level) const;
};

/// The rows as a table for people: labels, then each figure as "mean ± half of the interval".
std::string rows_table(const Results& results);

/// A line for each measurement, warm-ups too: round, counted, failed, disturbed, labels, figures.
/// Quoted as RFC 4180 has it. Figures that a measurement has not are empty.
std::string measurements_csv(const Results& results);

}  // namespace tw::lab
