// The list of all experiments: who adds one adds it here.
#pragma once

#include <memory>
#include <vector>

#include "lab/experiment.h"

namespace tw::lab {

/// In the order of --help.
std::vector<std::shared_ptr<Experiment>> all_experiments();

}  // namespace tw::lab
