#include "lab/wan/paper.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>

namespace tw::lab {
namespace {

constexpr std::string_view experiment_name = "KTCP split TCP";

std::optional<std::size_t> column_of(const std::vector<std::string>& header,
                                     std::string_view name) {
  const auto found = std::ranges::find(header, name);
  if (found == header.end()) return {};
  return static_cast<std::size_t>(found - header.begin());
}

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

/// By how much the first byte came earlier than a step before, in ms: both medians over all sizes.
std::optional<double> earlier(const WanReport& report, Configuration before, Configuration after) {
  std::vector<double> old_ms, new_ms;
  for (const WanRow& row : rows_of(report)) {
    if (row.ttfb_ms.summary.count == 0) continue;
    if (row.configuration == before) old_ms.push_back(row.ttfb_ms.summary.median);
    if (row.configuration == after) new_ms.push_back(row.ttfb_ms.summary.median);
  }
  if (old_ms.empty() || new_ms.empty()) return {};
  return percentile(old_ms, 0.5) - percentile(new_ms, 0.5);
}

std::string measured_gain(const WanReport& report, Configuration before, Configuration after) {
  const auto gain = earlier(report, before, after);
  if (!gain) return "not measured";
  return fmt::format("{} ms against {}", std::lround(*gain), name_of(before));
}

std::string measured_speedup(const WanReport& report) {
  double best = 0;
  for (const WanRow& row : rows_of(report)) best = std::max(best, row.total_speedup);
  return best > 0 ? fmt::format("up to {:.2f}x", best) : "not measured";
}

}  // namespace

std::vector<std::string> csv_fields(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char character = line[at];
    if (character == '"' && quoted && at + 1 < line.size() && line[at + 1] == '"') {
      fields.back() += '"';
      ++at;
    } else if (character == '"') {
      quoted = !quoted;
    } else if (character == ',' && !quoted) {
      fields.emplace_back();
    } else if (character != '\r') {
      fields.back() += character;
    }
  }
  return fields;
}

Result<std::vector<PaperFigure>> parse_paper(std::string_view csv) {
  std::vector<PaperFigure> figures;
  std::array<std::size_t, 5> columns{};  // experiment, configuration, metric, value, unit
  std::size_t width = 0;                 // fields a line must have; 0: no header yet
  while (!csv.empty()) {
    const std::size_t end = std::min(csv.find('\n'), csv.size());
    const std::vector<std::string> fields = csv_fields(csv.substr(0, end));
    csv.remove_prefix(std::min(end + 1, csv.size()));
    if (width == 0) {
      constexpr std::array names{"experiment", "configuration", "metric", "value", "unit"};
      for (std::size_t index = 0; index < names.size(); ++index) {
        const auto column = column_of(fields, names[index]);
        if (!column) {
          return make_error(Error::Kind::config,
                            fmt::format("no column \"{}\" in its first line", names[index]));
        }
        columns[index] = *column;
        width = std::max(width, *column + 1);
      }
      continue;
    }
    if (fields.size() < width || fields[columns[0]] != experiment_name) continue;
    if (const auto value = number(fields[columns[3]])) {
      figures.push_back({fields[columns[1]], fields[columns[2]], *value, fields[columns[4]]});
    }
  }
  if (!figures.empty()) return figures;
  return make_error(Error::Kind::config,
                    fmt::format("no figure of the experiment \"{}\" in it", experiment_name));
}

Result<std::vector<PaperFigure>> read_paper(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  if (!file.is_open()) return make_error(Error::Kind::config, "cannot read " + path);
  auto figures = parse_paper(text);
  if (!figures) return in_context(path, figures.error());
  return figures;
}

std::vector<std::pair<std::string, std::string>> compare(const std::vector<PaperFigure>& figures,
                                                         const WanReport& report) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const PaperFigure& figure : figures) {
    std::string here;
    if (figure.configuration == "KTCP+TP+ES") {
      here = measured_gain(report, Configuration::split, Configuration::early_syn);
    } else if (figure.configuration == "KTCP+CP") {
      here = measured_gain(report, Configuration::early_syn, Configuration::warm_legs);
    } else if (figure.metric == "download speed-up") {
      here = measured_speedup(report);
    } else {
      continue;
    }
    lines.emplace_back(fmt::format("{}, {}", figure.configuration, figure.metric),
                       fmt::format("{:g} {}; here {}", figure.value, figure.unit, here));
  }
  return lines;
}

}  // namespace tw::lab
