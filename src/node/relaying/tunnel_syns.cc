#include "node/relaying/tunnel_syns.h"

#include <utility>

namespace tw::node {

Result<std::unique_ptr<TunnelSyns>> TunnelSyns::open(Device& device) {
  auto made = std::make_unique<TunnelSyns>();
  for (std::size_t number = 0; number < device.lanes(); ++number) {
    Result<std::unique_ptr<relay::SynRing>> ring = relay::SynRing::open(relay::syn_ring_capacity);
    if (!ring) return std::unexpected(ring.error());
    Lane& lane = made->lanes_.emplace_back();
    lane.ring = std::move(*ring);
    lane.source = std::make_unique<relay::SynRingSource>(*lane.ring);
    lane.answers = std::make_unique<relay::SynAnswers>(device.syn_context(number), held_syns_max);
  }
  return made;
}

std::vector<relay::SynSource*> TunnelSyns::sources() const {
  std::vector<relay::SynSource*> sources;
  for (const Lane& lane : lanes_) sources.push_back(lane.source.get());
  return sources;
}

std::vector<relay::SynAnswers*> TunnelSyns::answers() const {
  std::vector<relay::SynAnswers*> answers;
  for (const Lane& lane : lanes_) answers.push_back(lane.answers.get());
  return answers;
}

void TunnelSyns::report(Device& device) const {
  std::vector<SynEnds> ends;
  for (const Lane& lane : lanes_) ends.push_back({lane.ring.get(), lane.answers.get()});
  device.report_syns(ends);
}

}  // namespace tw::node
