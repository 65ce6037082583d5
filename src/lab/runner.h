// The frame of all experiments: everything between the command line and the figures that is not the
// experiment's own.
#pragma once

#include <string>

#include "lab/experiment.h"
#include "lab/report/provenance.h"

namespace tw::lab {

/// A run that has ended, and what is said about it.
struct RunReport {
  std::string experiment;  ///< its name
  Settings settings;
  Provenance provenance;
  Results results;
  Findings findings;

  std::string table() const;
  /// The frame's members (docs/lab.md lists them), then the experiment's.
  ReportJson json() const;
  std::string csv() const { return measurements_csv(results); }
  std::string html() const;
};

/// Runs an experiment whose options are settled, and returns when everything it made is gone. Call
/// from the main thread. If it is interrupted, the outcome has what was measured until then, or an
/// error if that is not worth a report. `provenance` is of the time before.
Result<RunReport> run_experiment(Experiment& experiment, const Settings& settings,
                                 Provenance provenance, Interrupt& interrupt, Progress& progress);

}  // namespace tw::lab
