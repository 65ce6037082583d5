#include "sim/contexts/gateway_model.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/random.h"
#include "steer/policy/indirection.h"

namespace tw::sim {
namespace {

constexpr std::size_t socket_queue = 1024;  // packets, as a NIC's ring
constexpr std::size_t receive_call = 64;    // packets, as NAPI's budget
constexpr std::size_t steering_seed_step = 1'000'003;

using Kind = StageThread::Kind;

}  // namespace

GatewayModel::GatewayModel(const GatewaySettings& settings, Simulation& simulation)
    : settings_(settings), cores_(simulation, settings.cores, settings.costs.threads) {
  spread_flows();
  make_threads();
  make_pipelines();
}

// In `affine` a packet comes in where its flow belongs, by the table that the lanes use. In the
// others a hash spreads flows over the cores, and gives one core up to twice as many as another.
void GatewayModel::spread_flows() {
  SeededRandom random{settings_.seed * steering_seed_step};
  if (settings_.context == Context::affine) {
    IndirectionPolicy table{settings_.cores, CoreSet::first(settings_.cores), settings_.seed};
    for (std::size_t flow = 0; flow < settings_.flows; ++flow) {
      // A peer's bucket is its slot, as the lanes have it: the upper bits of the hash.
      core_of_.push_back(table.steer(static_cast<std::uint32_t>(flow) << 20U).core);
    }
    return;
  }
  std::vector<double> share(settings_.cores);
  for (std::size_t core = 0; core < settings_.cores; ++core) {
    share[core] = 1 + static_cast<double>(core) /
                          std::max<double>(1, static_cast<double>(settings_.cores) - 1);
  }
  for (std::size_t core = settings_.cores; core > 1; --core) {
    std::swap(share[core - 1], share[random.next() % core]);
  }
  const double sum = std::accumulate(share.begin(), share.end(), 0.0);
  for (std::size_t flow = 0; flow < settings_.flows; ++flow) {
    double drawn = static_cast<double>(random.next() >> 11U) * 0x1p-53 * sum;
    std::size_t core = 0;
    while (core + 1 < settings_.cores && drawn >= share[core]) drawn -= share[core++];
    core_of_.push_back(static_cast<std::uint8_t>(core));
  }
}

void GatewayModel::make_threads() {
  const bool is_affine = settings_.context == Context::affine;
  const std::size_t items = settings_.flows * 2 + 3;
  for (std::size_t core = 0; core < settings_.cores; ++core) {
    from_wire_.workers.push_back(&cores_.add(Kind::pinned, core, items));
    to_wire_.workers.push_back(is_affine ? from_wire_.workers[core]
                                         : &cores_.add(Kind::pinned, core, items));
    above_.push_back(is_affine ? from_wire_.workers[core] : &cores_.add(Kind::above, core, items));
    sockets_.push_back(std::make_unique<Sockets>());
    sockets_[core]->gateway = this;
    sockets_[core]->item = std::make_unique<ReceiveItem>(*sockets_[core], receive_call);
    sockets_[core]->thread = above_[core];
  }
  if (deliver_place_of(settings_.context) != DeliverPlace::thread) return;
  const Kind kind = settings_.context == Context::thread_pinned ? Kind::pinned : Kind::free;
  for (std::size_t flow = 0; flow < settings_.flows; ++flow) {
    from_wire_.own.push_back(&cores_.add(kind, flow % settings_.cores, 1));
  }
}

// To the wire all contexts are alike, but `affine`: a flow's sealed packets are sent by the worker
// of a core that is always the same.
void GatewayModel::make_pipelines() {
  const bool is_affine = settings_.context == Context::affine;
  StagedPipeline::Settings settings{.place = deliver_place_of(settings_.context),
                                    .shares_ring = !is_affine,
                                    .cores = settings_.cores,
                                    .flows = settings_.flows};
  from_wire_.gateway = to_wire_.gateway = this;
  from_wire_.in_call.resize(settings_.flows);
  to_wire_.in_call.resize(settings_.flows);
  from_wire_.costs = settings_.costs.from_wire;
  to_wire_.costs = settings_.costs.to_wire;
  from_wire_.pipeline = std::make_unique<StagedPipeline>(settings, from_wire_, from_wire_);
  settings.place = is_affine ? DeliverPlace::opener : DeliverPlace::fixed;
  to_wire_.pipeline = std::make_unique<StagedPipeline>(settings, to_wire_, to_wire_);
}

void GatewayModel::arrive(ClientPacket& packet, bool from_wire) {
  Sockets& sockets = *sockets_[core_of_[packet.flow]];
  if (sockets.queue.size() >= socket_queue) return load_->drop(packet);
  sockets.queue.push_back({&packet, from_wire});
  if (!sockets.item->schedule()) return;
  sockets.thread->queue.push(*sockets.item);
  cores_.wake(*sockets.thread, std::nullopt);
}

void GatewayModel::Sockets::call_begins(const StageTurn& turn) noexcept {
  gateway->cores_.charge(turn.core, gateway->from_wire_.costs.receive_call);
}

bool GatewayModel::Sockets::receive(const StageTurn& turn) noexcept {
  if (queue.empty()) return false;
  const Waiting next = queue.front();
  queue.pop_front();
  Side& side = next.from_wire ? gateway->from_wire_ : gateway->to_wire_;
  gateway->cores_.charge(turn.core, side.costs.receive_packet + side.costs.publish);
  if (side.pipeline->receive(*next.packet, turn) == StagedPipeline::Arrival::flow_full) {
    gateway->load_->drop(*next.packet);
  }
  return !queue.empty();
}

void GatewayModel::run_item(StageThread& thread, StageItem& item, std::size_t from) noexcept {
  thread.queue.push(item);
  cores_.wake(thread, from);
}

void GatewayModel::Side::open(StagedPacket& packet, const StageTurn& turn) noexcept {
  const bool is_small = static_cast<ClientPacket&>(packet).kind != ClientPacket::Kind::payload;
  gateway->cores_.charge(turn.core, is_small ? costs.cipher_small : costs.cipher);
}

void GatewayModel::Side::opened(const StageTurn& turn) noexcept {
  gateway->cores_.charge(turn.core, costs.publish);
}

void GatewayModel::Side::call_begins(std::uint32_t flow, const StageTurn& turn) noexcept {
  if (in_call[flow]) ++overlapping;
  in_call[flow] = true;
  gateway->cores_.charge(turn.core, costs.deliver_call);
}

void GatewayModel::Side::deliver(StagedPacket& packet, std::size_t place,
                                 const StageTurn& turn) noexcept {
  gateway->cores_.charge(turn.core, place == 0 ? costs.deliver_first : costs.deliver_next);
  gateway->load_->leave(static_cast<ClientPacket&>(packet), gateway->cores_.now_on(turn.core));
}

void GatewayModel::Side::call_ends(std::uint32_t flow, std::size_t /*packets*/,
                                   const StageTurn& /*turn*/) noexcept {
  in_call[flow] = false;
}

void GatewayModel::Side::discard(StagedPacket& packet, const StageTurn& /*turn*/) noexcept {
  gateway->load_->drop(static_cast<ClientPacket&>(packet));
}

void GatewayModel::Side::on_worker(std::size_t core, StageItem& item,
                                   const StageTurn& from) noexcept {
  gateway->run_item(*workers[core], item, from.core);
}

void GatewayModel::Side::above_worker(std::size_t core, StageItem& item,
                                      const StageTurn& from) noexcept {
  gateway->run_item(*gateway->above_[core], item, from.core);
}

void GatewayModel::Side::on_thread(std::uint32_t flow, StageItem& item,
                                   const StageTurn& from) noexcept {
  gateway->run_item(*own[flow], item, from.core);
}

}  // namespace tw::sim
