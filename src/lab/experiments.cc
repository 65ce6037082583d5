#include "lab/experiments.h"

#include "lab/clients/clients.h"
#include "lab/contexts/sim_contexts.h"
#include "lab/demo/demo.h"
#include "lab/steer/sim_steer.h"
#include "lab/wan/wan.h"

namespace tw::lab {

std::vector<std::shared_ptr<Experiment>> all_experiments() {
  return {std::make_shared<DemoExperiment>(), std::make_shared<ClientsExperiment>(),
          std::make_shared<WanExperiment>(), std::make_shared<SimSteerExperiment>(),
          std::make_shared<SimContextsExperiment>()};
}

}  // namespace tw::lab
