#include "exec/contexts/staged_pipeline.h"

namespace tw {

std::string_view name_of(Context context) noexcept {
  switch (context) {
    case Context::affine:
      return "affine";
    case Context::softirq:
      return "softirq";
    case Context::thread:
      return "thread";
    case Context::thread_pinned:
      return "thread-pinned";
    case Context::workqueue:
      return "workqueue";
  }
  return "";
}

DeliverPlace deliver_place_of(Context context) noexcept {
  switch (context) {
    case Context::affine:
    case Context::workqueue:
      return DeliverPlace::opener;
    case Context::softirq:
      return DeliverPlace::above;
    case Context::thread:
    case Context::thread_pinned:
      return DeliverPlace::thread;
  }
  return DeliverPlace::opener;
}

StagedPipeline::StagedPipeline(const Settings& settings, StageWork& work, StageContexts& contexts)
    : settings_(settings), contexts_(contexts), counters_(settings.cores) {
  for (std::size_t i = 0; i < (settings.shares_ring ? 1 : settings.cores); ++i) {
    rings_.push_back(std::make_unique<SharedRing<StagedPacket>>(settings.ring));
  }
  for (std::size_t core = 0; core < settings.cores; ++core) {
    open_.push_back(std::make_unique<OpenItem>(*rings_[settings.shares_ring ? 0 : core], work,
                                               *this, counters_[core],
                                               settings.place == DeliverPlace::above));
  }
  for (std::uint32_t flow = 0; flow < settings.flows; ++flow) {
    deliver_.push_back(std::make_unique<DeliverItem>(flow, work, counters_, settings.flow_queue,
                                                     settings.deliver_call));
  }
}

StagedPipeline::Arrival StagedPipeline::receive(StagedPacket& packet,
                                                const StageTurn& turn) noexcept {
  packet.since = turn.now;
  packet.state.store(StagedPacket::State::sealed, std::memory_order_relaxed);
  const std::uint32_t flow = packet.flow;
  if (!deliver_[flow]->append(packet)) return Arrival::flow_full;
  if (!rings_[settings_.shares_ring ? 0 : turn.core]->push(packet)) {
    // It has its place among the flow's packets: the others must not wait for it.
    packet.state.store(StagedPacket::State::dead, std::memory_order_release);
    deliver(flow, turn);
    return Arrival::ring_full;
  }
  // Round robin chooses who is woken, and no more: whoever is awake takes the packet.
  const std::size_t core =
      settings_.shares_ring ? next_core_.fetch_add(1, std::memory_order_relaxed) % settings_.cores
                            : turn.core;
  if (open_[core]->schedule()) contexts_.on_worker(core, *open_[core], turn);
  return Arrival::queued;
}

void StagedPipeline::publish(StagedPacket& packet, const StageTurn& turn) noexcept {
  const std::uint32_t flow = packet.flow;
  packet.state.store(StagedPacket::State::opened, std::memory_order_release);
  deliver(flow, turn);
}

void StagedPipeline::deliver(std::uint32_t flow, const StageTurn& turn) noexcept {
  DeliverItem& item = *deliver_[flow];
  if (!item.schedule()) return;
  switch (settings_.place) {
    case DeliverPlace::opener:
      return contexts_.on_worker(turn.core, item, turn);
    case DeliverPlace::above:
      return contexts_.above_worker(turn.core, item, turn);
    case DeliverPlace::thread:
      return contexts_.on_thread(flow, item, turn);
    case DeliverPlace::fixed:
      return contexts_.on_worker(flow % settings_.cores, item, turn);
  }
}

}  // namespace tw
