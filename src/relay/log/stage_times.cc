#include "relay/log/stage_times.h"

namespace tw::relay {
namespace {

// Percentiles within 3.2 %: there are many of these, and each status copies them all.
constexpr unsigned sub_bits = 5;

}  // namespace

StageTimes::StageTimes() : histograms_(via_count * stage_count, LatencyHistogram{sub_bits}) {}

}  // namespace tw::relay
