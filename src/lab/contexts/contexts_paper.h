// The paper's own figures (P0, "The Impact of Kernel Asynchronous APIs on the Performance of a
// Kernel VPN", SYSTOR '25), where it has them for what is played, and its shapes: who is above
// whom. What does not come out is said, and nothing is adjusted until it does.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lab/contexts/sim_contexts.h"

namespace tw::lab {

/// Figures of the paper for that row, by the names of ours; none unless it is played as the paper
/// did: 18 cores, 25 Mbps a client, with the costs `paper`.
std::vector<std::pair<std::string_view, double>> paper_figures(const ContextsLevel& level);

struct Shape {
  std::string shape;    ///< as the paper has it
  std::string figures;  ///< ours
  bool came_out = false;
};

/// The paper's shapes, judged by means over the seeds; only those whose rows have been played.
std::vector<Shape> shapes_of(const std::vector<ContextsLevel>& levels);

}  // namespace tw::lab
