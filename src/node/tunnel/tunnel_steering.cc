#include "node/tunnel/tunnel_steering.h"

#include <cstdint>
#include <utility>

#include "base/log.h"

namespace tw::node {

TunnelSteering TunnelSteering::start(SteerBy wanted, const lane::Tunnel& tunnel,
                                     const TunQueues& tun, const TunnelSockets& sockets) {
  TunnelSteering made;
  made.interface_ = tun.interface();
  if (wanted == SteerBy::user || tunnel.lanes() == 1) return made;
  Result<KernelSteering> loaded =
      KernelSteering::load(tunnel.receiver_indices().round_keys(), tunnel.lanes());
  Result<void> done;
  if (loaded) {
    for (std::uint16_t bucket = 0; bucket < Bucket::count; ++bucket) {
      loaded->assign(bucket, static_cast<std::uint16_t>(tunnel.lane_of(Bucket{bucket})));
    }
    done = loaded->attach_host(tun.fd());
  } else {
    done = std::unexpected(loaded.error());
  }
  if (done) done = sockets.steer(*loaded);
  if (!done) {
    log::warning("{}: its workers steer packets, not the kernel: {}", made.interface_,
                 done.error().text());
    return made;
  }
  made.kernel_ = std::move(*loaded);
  return made;
}

void TunnelSteering::use(const TunnelSockets& sockets) noexcept {
  if (!kernel_) return;
  if (const Result<void> done = sockets.steer(*kernel_); !done) {
    log::warning("{}: its workers steer what comes from the wire: {}", interface_,
                 done.error().text());
  }
}

// A packet that the programs do not know, or not yet, is passed on by the worker that gets it.
void TunnelSteering::follow(const DevicePlan& plan) {
  if (!kernel_) return;
  for (const Prefix& prefix : plan.freed) kernel_->remove_route(prefix);
  for (const PeerStep& step : plan.peers) {
    for (const Prefix& prefix : step.gains) {
      const Result<void> set = kernel_->set_route(prefix, lane::bucket_of(step.id).value);
      if (!set) return log::warning("{}: {}", interface_, set.error().text());
    }
  }
}

}  // namespace tw::node
