#include "lab/experiment.h"

namespace tw::lab {

Result<void> Experiment::settle(const OptionSet& /*set*/, const Settings& /*settings*/) {
  return {};
}

Result<bool> Experiment::instead() { return false; }

}  // namespace tw::lab
