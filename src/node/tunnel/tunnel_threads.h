// A tunnel on threads: a worker and an engine for each of its lanes, and one worker for its
// handshakes. Whoever configures the tunnel runs work on the worker that owns the part, and waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "crypto/aead_choice.h"
#include "exec/worker.h"
#include "lane/tunnel.h"
#include "node/device/run_on.h"
#include "node/tunnel/tun_queues.h"

namespace tw::node {

class TunnelThreads {
 public:
  /// A lane for each queue of the TUN, its worker on the next of `cores`, if there are any. All
  /// must outlive this. Starts no thread.
  static Result<std::unique_ptr<TunnelThreads>> create(TunQueues& tun,
                                                       const crypto::AeadChoice& cipher,
                                                       const GovernorSettings& governor,
                                                       std::span<const std::uint16_t> cores,
                                                       lane::TunnelLaneLimits limits,
                                                       RandomSource& random, const Clock& clock);
  /// stop(), if that has not been done.
  ~TunnelThreads();

  /// Attaches all parts and starts the workers. Whatever else is to run on the handshake worker is
  /// attached before.
  Result<void> start();
  /// The handshake worker stops first: it waits for the others now and then.
  void stop() noexcept;

  std::size_t lanes() const noexcept { return tunnel_->lanes(); }
  /// The parts, for what any thread may read, and for set-up before start().
  lane::Tunnel& tunnel() noexcept { return *tunnel_; }
  const lane::Tunnel& tunnel() const noexcept { return *tunnel_; }
  Worker& handshake_worker() noexcept { return *handshake_worker_; }
  ExecContext& lane_context(std::size_t number) noexcept { return *lanes_[number].worker; }

  /// Runs task(handshake lane) on its worker, and waits.
  template <typename Task>
  void on_handshakes(Task&& task) {
    run_on(*handshake_worker_, [&] { task(tunnel_->handshakes()); });
  }
  /// Runs task(lane, number) on each lane's worker, one after the other, and waits.
  template <typename Task>
  void on_lanes(Task&& task) {
    for (std::size_t number = 0; number < lanes_.size(); ++number) {
      run_on(*lanes_[number].worker, [&] { task(tunnel_->lane(number), number); });
    }
  }
  /// The same for work that changes the descriptors of the lane.
  template <typename Task>
  void on_detached_lanes(Task&& task) {
    on_lanes([&](lane::TunnelLane& lane, std::size_t number) {
      lanes_[number].worker->detach(lane);
      task(lane, number);
      lanes_[number].worker->attach(lane);
    });
  }
  /// Posts task(lane) to each lane's worker, and does not wait.
  template <typename Task>
  void post_to_lanes(const Task& task) noexcept {
    for (std::size_t number = 0; number < lanes_.size(); ++number) {
      lanes_[number].worker->post([task, &lane = tunnel_->lane(number)]() noexcept { task(lane); });
    }
  }

 private:
  struct Lane {
    std::unique_ptr<Worker> worker;
    std::unique_ptr<crypto::AeadEngine> engine;
  };

  explicit TunnelThreads(TunQueues& tun) noexcept : tun_(tun) {}
  Result<void> make_workers(const crypto::AeadChoice& cipher, const GovernorSettings& governor,
                            std::span<const std::uint16_t> cores, const Clock& clock);

  TunQueues& tun_;
  // The workers refer to each other's lanes only through channels and wake(); all are stopped
  // before anything goes.
  std::vector<Lane> lanes_;
  std::unique_ptr<Worker> handshake_worker_;
  std::unique_ptr<lane::Tunnel> tunnel_;
};

}  // namespace tw::node
