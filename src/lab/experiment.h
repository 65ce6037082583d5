// An experiment, as the frame around all of them sees it (docs/lab.md shows how to add one):
//
//   options ─▶ settle ─▶ prepare ─▶ rounds: plan, measure… ─▶ (everything made is gone) ─▶ report
//
// The experiment says what it takes, builds what it measures, and measures one level at a time. The
// frame (runner.h) has the rest, alike for all: warm-ups, the order of levels, repetitions,
// intervals, the progress line, what disturbed a measurement, and where the figures go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "lab/bed/interrupt.h"
#include "lab/option_set.h"
#include "lab/report/json.h"
#include "lab/report/progress.h"
#include "lab/report/results.h"

namespace tw::lab {

/// The values of the frame's own options, after the command line has been read.
struct Settings {
  std::uint32_t runs = 1;     ///< counted measurements of every level
  std::uint32_t warmups = 0;  ///< rounds before them, which are measured and not counted
  std::uint64_t seed = 1;     ///< of the order of levels, and of what else the experiment draws
  bool quick = false;
  std::string version{};  ///< of this program
  std::string command{};  ///< as it was called
};

/// The number of runs of an experiment that is not told otherwise.
struct Repetition {
  std::uint32_t runs = 10;
  std::uint32_t warmups = 1;
  std::uint32_t quick_runs = 3;
  std::uint32_t quick_warmups = 0;
  /// False: every run is one measurement, and there are no --runs, --warmups and --quick.
  bool repeats = true;
  const char* quick_help = "Fewer runs: an answer within a minute";
  const char* seed_help = "Of the order of measurements, and of all that is drawn by lot (1)";
};

/// The frame, as a measurement sees it.
struct Run {
  const Settings& settings;
  Interrupt& interrupt;
  Progress& progress;
};

/// The levels of a run and how often each is measured.
struct Plan {
  std::vector<Level> levels;
  /// Rounds go on up to this many counted ones for levels whose interval is wide or that were
  /// disturbed; 0: no more than Settings::runs.
  std::uint32_t most_runs = 0;
  /// An interval is narrow if it reaches no further from its mean than this share of it.
  double half_width = 0.02;
  /// True if levels are played in virtual time, which nothing of this machine disturbs.
  bool simulated = false;
};

/// The things that an experiment has built and measures. The destructor removes all of them.
class Rounds {
 public:
  virtual ~Rounds() = default;
  /// Called once, before the first round.
  virtual Plan plan() = 0;
  /// Measures a level, by its place in the plan. A measurement that failed and says something is a
  /// Measured with `failed`; an error ends the run.
  virtual Result<Measured> measure(std::size_t level, const Round& round, Run& run) = 0;
};

/// The parts of a report that are the experiment's own.
struct Findings {
  std::string table{};                              ///< for people; "": the frame's table of rows
  ReportJson json = ReportJson::object();           ///< members beside those of the frame
  std::map<std::size_t, ReportJson> row_members{};  ///< by level: members of its row beside figures
  std::string_view page = {};                       ///< template of the page; "": the frame's
  std::string fault = {};                           ///< the fault of a run that ends with 1
};

class Experiment {
 public:
  virtual ~Experiment() = default;

  /// "lab wan": the words after the program's name.
  virtual std::string name() const = 0;
  /// One line for --help.
  virtual std::string about() const = 0;
  virtual Repetition repetition() const { return {}; }
  /// Declares what it takes. The frame has --runs, --warmups, --quick, --seed, --json, --csv,
  /// --html.
  virtual void options(OptionSet& set) = 0;
  /// Reads what the options have left as text. Fails with an error of usage.
  virtual Result<void> settle(const OptionSet& set, const Settings& settings);
  /// Does what an option asks for instead of a run, such as writing a configuration. Returns false
  /// if no option does.
  virtual Result<bool> instead();
  /// Builds what is to be measured. Returns an error that says what to do if this machine cannot.
  virtual Result<std::unique_ptr<Rounds>> prepare(Run& run) = 0;
  /// Returns true if what was measured until an interrupt is worth a report. Asked after at least
  /// one counted measurement.
  virtual bool reports_interrupted() const { return true; }
  /// Called when everything that prepare() made is gone. `results.interrupted` may be true.
  virtual Findings report(const Results& results) = 0;
};

}  // namespace tw::lab
