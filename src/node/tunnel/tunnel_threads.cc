#include "node/tunnel/tunnel_threads.h"

#include <string>

#include "node/context_ids.h"

namespace tw::node {
namespace {

/// The handshake worker's weight, relative to data workers at 0
/// (docs/decisions/0007-handshake-share.md): a seventh of a CPU beside two of them that spin on it,
/// a quarter beside one, and let in at once after it has slept.
constexpr int handshake_nice = 5;
constexpr Duration handshake_slice = 100us;

/// The first keeps the name that the only one has.
std::string lane_thread_name(std::size_t number) {
  return number == 0 ? "tw-data" : "tw-data-" + std::to_string(number);
}

}  // namespace

Result<std::unique_ptr<TunnelThreads>> TunnelThreads::create(
    TunQueues& tun, const crypto::AeadChoice& cipher, const GovernorSettings& governor,
    std::span<const std::uint16_t> cores, lane::TunnelLaneLimits limits, RandomSource& random,
    const Clock& clock) {
  std::unique_ptr<TunnelThreads> made{new TunnelThreads{tun}};
  if (Result<void> done = made->make_workers(cipher, governor, cores, clock); !done) {
    return std::unexpected(done.error());
  }
  std::vector<lane::TunnelSeat> seats;
  for (std::size_t number = 0; number < tun.count(); ++number) {
    const Lane& lane = made->lanes_[number];
    seats.push_back({*lane.worker, *lane.engine, tun.port(number)});
  }
  made->tunnel_ =
      std::make_unique<lane::Tunnel>(seats, *made->handshake_worker_, random, clock, limits);
  return made;
}

Result<void> TunnelThreads::make_workers(const crypto::AeadChoice& cipher,
                                         const GovernorSettings& governor,
                                         std::span<const std::uint16_t> cores, const Clock& clock) {
  for (std::size_t number = 0; number < tun_.count(); ++number) {
    WorkerSettings settings{
        .id = node::lane_context(number), .name = lane_thread_name(number), .governor = governor};
    if (!cores.empty()) settings.cpu = cores[number % cores.size()];
    Result<std::unique_ptr<Worker>> worker = Worker::create(std::move(settings), clock);
    if (!worker) return std::unexpected(worker.error());
    lanes_.push_back({std::move(*worker), cipher.make()});
  }
  WorkerSettings settings{.id = handshake_context,
                          .name = "tw-handshakes",
                          .nice = handshake_nice,
                          .slice = handshake_slice};
  Result<std::unique_ptr<Worker>> worker = Worker::create(std::move(settings), clock);
  if (!worker) return std::unexpected(worker.error());
  handshake_worker_ = std::move(*worker);
  return {};
}

TunnelThreads::~TunnelThreads() { stop(); }

Result<void> TunnelThreads::start() {
  for (std::size_t number = 0; number < lanes_.size(); ++number) {
    if (TunQueue* const limit = tun_.limit(number)) lanes_[number].worker->attach(*limit);
  }
  tunnel_->attach();
  for (const Lane& lane : lanes_) {
    if (Result<void> done = lane.worker->start(); !done) return done;
  }
  return handshake_worker_->start();
}

void TunnelThreads::stop() noexcept {
  if (handshake_worker_ != nullptr) handshake_worker_->stop();
  for (const Lane& lane : lanes_) lane.worker->stop();
}

}  // namespace tw::node
