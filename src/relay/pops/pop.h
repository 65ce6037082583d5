// Another PoP: its settings, its counters, the proof that its legs carry, the rate of the path to
// it, and the source of legs to it, with its health. A PopTable owns it; connections know its id.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "relay/admission/leg_counts.h"
#include "relay/admission/pop_clients.h"
#include "relay/legs/pop_legs.h"
#include "relay/pacing/path_rate.h"
#include "relay/pops/pop_id.h"
#include "relay/proof/pop_proof.h"
#include "relay/settings.h"
#include "relay/snapshot.h"

namespace tw::relay {

class Pop {
 public:
  /// Keeps nothing of `settings` by reference. The legs make no connection before their first
  /// poll().
  Pop(PopId id, const RelaySettings& settings, PopSettings own);
  Pop(const Pop&) = delete;
  Pop& operator=(const Pop&) = delete;

  /// Takes new settings of the same PoP. Counters, health and the path's rate stay; warm legs stay
  /// unless they would be made otherwise now (PopLegs::apply). A new key is a new identity: nothing
  /// that was proven by the old one counts any more.
  void apply(const RelaySettings& settings, PopSettings own);

  PopId id() const noexcept { return id_; }
  const std::string& name() const noexcept { return settings_.name; }
  const PopSettings& settings() const noexcept { return settings_; }
  PopLegs& legs() noexcept { return legs_; }
  const PopLegs& legs() const noexcept { return legs_; }
  const std::shared_ptr<PopProof>& proof() const noexcept { return proof_; }
  const std::shared_ptr<PathRate>& path() const noexcept { return path_; }

  /// Counts one of these events.
  void count_opened() noexcept { ++counters_.legs_opened; }
  void count_failed() noexcept { ++counters_.legs_failed; }
  void count_silent() noexcept { ++counters_.silent; }
  void count_left() noexcept { ++counters_.left; }
  void count_refused_here() noexcept { ++counters_.refused_here; }
  /// Counts a leg from this PoP that names a client that is another's, and warns of it at most once
  /// a minute. `clients` are the rules that refused it.
  void refuse_client(const IpAddress& client, const PopClients& clients, Instant now);
  /// Warns that a leg from this PoP (`from`) is refused for this fault: at most once a minute for
  /// each fault.
  void warn_refused_leg(const Endpoint& from, LegFault fault, Instant now);

  /// Returns the counters, with the present state of legs, path and proof. `here`: the legs that
  /// this PoP has opened to us; `paced`: legs are paced by the path's rate.
  PopCounters snapshot(const LegCounts::Legs& here, bool paced, Instant now) const;

 private:
  const PopId id_;
  PopSettings settings_;
  PopCounters counters_;  // without the state that snapshot() adds
  std::shared_ptr<PopProof> proof_;
  std::shared_ptr<PathRate> path_;
  PopLegs legs_;
  std::array<Instant, leg_fault_count> warn_fault_again_{};  // by LegFault: not before
  Instant warn_client_again_{};
};

}  // namespace tw::relay
