#include "node/links/machine_watch.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"

namespace tw::node {
namespace {

/// The time between two looks for dropped foreign packets, and between two reports of them.
constexpr Duration foreign_look{5s}, foreign_pause{60s};

}  // namespace

MachineWatch::MachineWatch(Links& links, Device& device, const Clock& clock, std::mutex& lock)
    : links_(links), device_(device), clock_(clock), lock_(lock) {}

void MachineWatch::attend() {
  const std::lock_guard lock{lock_};
  for (const std::string& sentence : links_.attend()) log::warning("{}", sentence);
}

void MachineWatch::follow_tunnel() {
  if (device_.changes() == followed_changes_) return;
  followed_changes_ = device_.changes();
  const Result<DeviceState> state = device_.state();
  if (!state) return;
  std::vector<Prefix> peers;
  for (const PeerState& peer : state->peers) {
    peers.insert(peers.end(), peer.allowed_ips.begin(), peer.allowed_ips.end());
  }
  const std::lock_guard lock{lock_};
  const Result<void> followed = links_.follow_tunnel(std::move(peers), device_.listen_port());
  if (!followed) log::error("{}", followed.error().text());
}

int MachineWatch::foreign_wait_ms() const noexcept {
  if (!links_.drops_foreign()) return -1;
  using std::chrono::milliseconds;
  return static_cast<int>(std::chrono::duration_cast<milliseconds>(foreign_look).count());
}

void MachineWatch::report_foreign() {
  const Instant now = clock_.now();
  if (!links_.drops_foreign() || (foreign_looked_ && now - *foreign_looked_ < foreign_look)) return;
  foreign_looked_ = now;
  if (foreign_logged_ && now - *foreign_logged_ < foreign_pause) return;
  const std::lock_guard lock{lock_};
  const auto counts = links_.refused();
  if (!counts) return;
  for (const FirewallCount& count : *counts) {
    if (count.name != "foreign_forward" || count.packets == foreign_packets_) continue;
    log::warning(
        "{} packets were not forwarded that neither come from nor go to {} or a client device: "
        "before this node turned forwarding on, this machine forwarded nothing. If another program "
        "needs it (containers, virtual machines), write forward_others = true in [gateway]",
        count.packets - foreign_packets_, device_.interface());
    foreign_packets_ = count.packets;
    foreign_logged_ = now;
  }
}

}  // namespace tw::node
