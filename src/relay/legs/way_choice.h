// The way of each connection, chosen when it comes and again when a leg is lost: Admission's rules,
// the health of the PoPs, and with `direct = "measured"` how far targets are from here.
#pragma once

#include <expected>
#include <memory>
#include <optional>

#include "base/time.h"
#include "relay/admission/admission.h"
#include "relay/admission/kernel_route.h"
#include "relay/admission/path_choice.h"
#include "relay/legs/direct_probes.h"
#include "relay/outcome.h"
#include "relay/pops/pop_table.h"
#include "relay/settings.h"
#include "relay/stream/connection.h"

namespace tw::relay {

class WayChoice {
 public:
  /// All but `lookup` must outlive this. `tun_index`: interface index of settings.tun_device.
  WayChoice(const RelaySettings& settings, const PopTable& pops, int tun_index,
            std::unique_ptr<RouteLookup> lookup);
  /// The settings, and with them the PoPs, have changed.
  void apply();

  /// A connection goes on directly, or by a PoP, which lives until the settings change.
  struct Onward {
    Pop* pop = nullptr;  ///< null: directly to the target
    /// Returns the PoP's id; empty: directly. Ids tell ways apart even after the settings changed.
    std::optional<PopId> pop_id() const noexcept {
      return pop != nullptr ? std::optional{pop->id()} : std::nullopt;
    }
  };
  using Choice = std::expected<Onward, Outcome>;
  Choice choose(const Endpoint& client, const Endpoint& target, Instant now) const;
  /// With has_target(). A leg from an address that is no PoP's any more is refused_source.
  Choice choose(const Connection& connection, Instant now) const;

  /// True if the settings, as they are now, refuse a connection that they once allowed. A route
  /// that is gone, and a PoP that is not usable, refuse none that has begun.
  bool refuses_now(const Connection& connection) const;
  /// True if the kernel reaches that client by that device.
  bool is_reached_by(const IpAddress& client, int device_index) const noexcept;

  /// The connection goes that way: its target is measured from here, if that is of use.
  void begin_measuring(const Connection& connection, Onward way, Instant now);
  /// A connection from here to the target has taken this round trip.
  void connected_directly(const Connection& connection, Instant now);

  /// The measuring: poll() is due when wait_fd() is readable or next_deadline() has come. -1:
  /// nothing will be measured, and every target goes by its PoP.
  int wait_fd() const noexcept { return probes_.wait_fd(); }
  Instant next_deadline() const noexcept { return probes_.next_deadline(); }
  void poll(Instant now);

 private:
  Choice onward(const Verdict& verdict) const;

  const RelaySettings& settings_;
  const PopTable& pops_;
  const int tun_index_;
  std::unique_ptr<RouteLookup> lookup_;
  Admission admission_;
  mutable PathChoice paths_;  // a choice that is made lasts a while
  DirectProbes probes_;
};

}  // namespace tw::relay
