#include "lab/report/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tw::lab {
namespace {

using Names = std::vector<std::string>;

void add_once(Names& names, const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

Names label_names(const Results& results) {
  Names names;
  for (const Level& level : results.levels) {
    for (const Label& label : level.labels) add_once(names, label.name);
  }
  return names;
}

Names figure_names(const Results& results) {
  Names names;
  for (const Measurement& measurement : results.measurements) {
    for (const auto& [name, value] : measurement.measured.figures) add_once(names, name);
  }
  return names;
}

std::string label_of(const Level& level, const std::string& name) {
  const auto found = std::ranges::find(level.labels, name, &Label::name);
  return found == level.labels.end() ? "" : found->text();
}

/// Four significant digits, but whole numbers whole.
std::string figure_text(double value) {
  if (std::abs(value) >= 1000) return fmt::format("{:.0f}", value);
  return fmt::format("{:.4g}", value);
}

std::string estimate_text(const MeanInterval& mean) {
  std::string text = figure_text(mean.mean);
  if (mean.interval) text += " ±" + figure_text(mean.half_width());
  return text;
}

/// Columns are as wide as their widest cell; the first `left` are aligned to the left.
std::string aligned(const std::vector<Names>& lines, std::size_t left) {
  std::vector<std::size_t> widths(lines.front().size());
  const auto columns = [](const std::string& text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
  };
  for (const Names& line : lines) {
    for (std::size_t at = 0; at < line.size(); ++at) {
      widths[at] = std::max(widths[at], columns(line[at]));
    }
  }
  std::string text;
  for (const Names& line : lines) {
    std::string row;
    for (std::size_t at = 0; at < line.size(); ++at) {
      const std::string gap(widths[at] - columns(line[at]), ' ');
      row += (at == 0 ? "" : "  ") + (at < left ? line[at] + gap : gap + line[at]);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

std::string quoted(const std::string& cell) {
  if (cell.find_first_of(",\"\n\r") == std::string::npos) return cell;
  std::string result = "\"";
  for (const char c : cell) result += c == '"' ? std::string{"\"\""} : std::string{c};
  return result + "\"";
}

std::string joined(const Names& cells) {
  std::string line;
  for (const std::string& cell : cells) line += (line.empty() ? "" : ",") + quoted(cell);
  return line + "\n";
}

}  // namespace

std::string Label::text() const {
  return std::visit([](const auto& one) { return fmt::format("{}", one); }, value);
}

std::size_t Results::count_of(std::size_t level) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      measurements, [&](const Measurement& one) { return one.level == level && one.counts(); }));
}

ResultRow Results::row_of(std::size_t level) const {
  ResultRow row{.level = level};
  const auto undisturbed = std::ranges::count_if(measurements, [&](const Measurement& one) {
    return one.level == level && one.counts() && !one.disturbed;
  });
  const bool leaves_out = leaves_out_disturbed && undisturbed > 1;
  for (const Measurement& measurement : measurements) {
    if (measurement.level != level || !measurement.round.counted) continue;
    row.failed += measurement.measured.failed ? 1 : 0;
    row.disturbed += measurement.disturbed ? 1 : 0;
    if (measurement.measured.failed || (leaves_out && measurement.disturbed)) continue;
    for (const auto& [name, value] : measurement.measured.figures) {
      auto at = std::ranges::find(row.estimates, name, &Estimate::name);
      if (at == row.estimates.end()) at = row.estimates.insert(at, Estimate{.name = name});
      at->values.push_back(value);
    }
  }
  for (Estimate& estimate : row.estimates) estimate.mean = mean_interval(estimate.values);
  return row;
}

std::vector<ResultRow> Results::rows() const {
  std::vector<ResultRow> result;
  for (std::size_t level = 0; level < levels.size(); ++level) {
    ResultRow row = row_of(level);
    if (!row.estimates.empty() || row.failed > 0) result.push_back(std::move(row));
  }
  return result;
}

std::string rows_table(const Results& results) {
  const Names labels = label_names(results), figures = figure_names(results);
  Names header = labels;
  header.insert(header.end(), figures.begin(), figures.end());
  header.emplace_back("runs");
  std::vector<Names> lines{std::move(header)};
  std::size_t failed = 0, disturbed = 0;
  for (const ResultRow& row : results.rows()) {
    Names line;
    for (const std::string& name : labels) {
      line.push_back(label_of(results.levels[row.level], name));
    }
    for (const std::string& name : figures) {
      const auto found = std::ranges::find(row.estimates, name, &Estimate::name);
      line.push_back(found == row.estimates.end() ? "" : estimate_text(found->mean));
    }
    line.push_back(fmt::format("{}", results.count_of(row.level)));
    lines.push_back(std::move(line));
    failed += row.failed;
    disturbed += row.disturbed;
  }
  std::string text = aligned(lines, labels.size());
  text += "\nmean ± half of the 95 % interval (Student's t)";
  if (failed > 0) text += fmt::format("; {} measurements FAILED", failed);
  if (disturbed > 0) text += fmt::format("; {} measurements disturbed", disturbed);
  if (results.interrupted) text += "; interrupted: not all runs are in it";
  return text + "\n";
}

std::string measurements_csv(const Results& results) {
  const Names labels = label_names(results), figures = figure_names(results);
  Names header{"round", "counted", "failed", "disturbed"};
  header.insert(header.end(), labels.begin(), labels.end());
  header.insert(header.end(), figures.begin(), figures.end());
  std::string text = joined(header);
  for (const Measurement& one : results.measurements) {
    Names line{fmt::format("{}", one.round.number), one.round.counted ? "1" : "0",
               one.measured.failed ? "1" : "0", one.disturbed ? "1" : "0"};
    for (const std::string& name : labels) {
      line.push_back(label_of(results.levels[one.level], name));
    }
    for (const std::string& name : figures) {
      const auto found = std::ranges::find(one.measured.figures, name, &Figures::value_type::first);
      line.push_back(found == one.measured.figures.end() ? "" : fmt::format("{}", found->second));
    }
    text += joined(line);
  }
  return text;
}

}  // namespace tw::lab
