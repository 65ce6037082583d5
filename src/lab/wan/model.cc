#include "lab/wan/model.h"

#include <algorithm>
#include <limits>

namespace tw::lab {
namespace {

constexpr double bits_per_byte = 8, ms_per_s = 1e3;
constexpr std::uint64_t any_window = std::numeric_limits<std::uint64_t>::max() / 4;

double line_time_ms(double rate_bps, std::uint64_t bytes) {
  return rate_bps > 0 ? static_cast<double>(bytes) * bits_per_byte * ms_per_s / rate_bps : 0;
}

double slowest_rate(const ModelInput& input) {
  double rate = 0;
  for (const ModelLink* link : {&input.client, &input.middle, &input.server}) {
    if (link->rate_bps > 0 && (rate == 0 || link->rate_bps < rate)) rate = link->rate_bps;
  }
  return rate;
}

double end_to_end_rtt(const ModelInput& input) {
  return input.client.rtt_ms + input.middle.rtt_ms + input.server.rtt_ms;
}

/// When the request is at the server and may be answered.
double request_at_server(const ModelInput& input) {
  const double client = input.client.rtt_ms;
  const double middle = input.middle.rtt_ms;
  const double server = input.server.rtt_ms;
  // The request leaves the client with the last segment of its handshake.
  if (input.way == Way::unsplit) {
    return (input.fast_open && input.server_fast_open ? 0.5 : 1.5) * end_to_end_rtt(input);
  }
  const double syn_at_rc = client / 2;
  const double request_at_rc = input.fast_open ? syn_at_rc : 1.5 * client;
  if (input.way == Way::channel) {
    // There to open it and back to say so, with the server's handshake between: only then data.
    return request_at_rc + middle + server + middle / 2 + server / 2;
  }
  const double begin = input.early_syn ? syn_at_rc : request_at_rc;
  const double leg_ready = input.warm_legs ? begin : begin + middle;
  // The target goes ahead as soon as there is a leg; the request follows when it has come.
  const double server_handshake = input.server_fast_open ? 0 : server;
  const double server_ready = leg_ready + middle / 2 + server_handshake;
  const double request_at_rs = std::max(leg_ready, request_at_rc) + middle / 2;
  return std::max(request_at_rs, server_ready) + server / 2;
}

/// The answer as the server's application hands it to TCP: all at once.
std::vector<ModelSegment> answer_at(double time_ms, const ModelInput& input) {
  std::vector<ModelSegment> segments;
  const std::uint64_t all = input.header_bytes + input.bytes;
  segments.reserve(all / input.segment_bytes + 2);
  std::uint64_t end = input.header_bytes;
  if (end > 0) segments.push_back({time_ms, end});
  while (end < all) {
    end = std::min(end + input.segment_bytes, all);
    segments.push_back({time_ms, end});
  }
  return segments;
}

}  // namespace

std::vector<ModelSegment> cross(const ModelHop& hop, const std::vector<ModelSegment>& ready) {
  const std::uint64_t window = std::max<std::uint64_t>(hop.initial_window, 1);
  const std::uint64_t largest = hop.largest_window == 0 ? any_window : hop.largest_window;
  std::vector<double> acknowledged(ready.size());
  std::vector<ModelSegment> arrived(ready.size());
  double line_free = 0;
  std::uint64_t before = 0;
  for (std::uint64_t n = 0; n < ready.size(); ++n) {
    double leaves = std::max(ready[n].time_ms, line_free);
    // After m acknowledgements initial_window + 2 m segments may have left.
    if (n >= window) leaves = std::max(leaves, acknowledged[(n - window) / 2]);
    if (n >= largest) leaves = std::max(leaves, acknowledged[n - largest]);
    line_free = leaves + line_time_ms(hop.rate_bps, ready[n].end - before);
    before = ready[n].end;
    acknowledged[n] = line_free + hop.rtt_ms;
    arrived[n] = {line_free + hop.rtt_ms / 2, ready[n].end};
  }
  return arrived;
}

Prediction predict(const ModelInput& input) {
  std::vector<ModelSegment> segments = answer_at(request_at_server(input), input);
  if (segments.empty()) return {};
  if (input.way == Way::unsplit) {
    segments = cross({.rtt_ms = end_to_end_rtt(input),
                      .rate_bps = slowest_rate(input),
                      .initial_window = input.initial_window},
                     segments);
  } else {
    const auto hop = [&](const ModelLink& link) {
      return ModelHop{
          .rtt_ms = link.rtt_ms, .rate_bps = link.rate_bps, .initial_window = input.initial_window};
    };
    ModelHop middle = hop(input.middle);
    if (input.turbo) middle.initial_window = any_window;
    if (input.middle_window_bytes > 0) {
      middle.largest_window =
          std::max<std::uint64_t>(input.middle_window_bytes / input.segment_bytes, 1);
    }
    segments = cross(hop(input.server), segments);
    segments = cross(middle, segments);
    segments = cross(hop(input.client), segments);
  }
  return {.ttfb_ms = segments.front().time_ms, .total_ms = segments.back().time_ms};
}

Prediction ideal(const ModelInput& input) {
  const double first = end_to_end_rtt(input);
  return {.ttfb_ms = first,
          .total_ms = first + line_time_ms(slowest_rate(input), input.header_bytes + input.bytes)};
}

}  // namespace tw::lab
