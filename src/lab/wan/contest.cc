#include "lab/wan/contest.h"

#include <fmt/format.h>

#include <utility>

namespace tw::lab {

std::string obstacle_of(Configuration configuration) {
  std::string missing;
  switch (traits_of(configuration).carrier) {
    case Carrier::kernel:
    case Carrier::tunnel:
    case Carrier::relay:
      break;
    case Carrier::ssh:
      missing = missing_for_ssh();
      break;
    case Carrier::haproxy:
      missing = missing_for_haproxy();
      break;
  }
  return missing.empty() ? "" : missing + " is not installed";
}

Result<Contestant> Contestant::start(Configuration configuration, std::uint16_t nth,
                                     const std::string& service,
                                     const CongestionControls& congestion, const Topology& topology,
                                     const ScratchFolder& scratch, Interrupt& interrupt) {
  Contestant contestant{configuration, service};
  const Carrier carrier = traits_of(configuration).carrier;
  if (carrier == Carrier::kernel) return contestant;
  if (carrier == Carrier::ssh || carrier == Carrier::haproxy) {
    auto forwarders = carrier == Carrier::ssh
                          ? Forwarders::start_ssh(topology, scratch, service, interrupt)
                          : Forwarders::start_haproxy(topology, scratch, service);
    if (!forwarders) return std::unexpected(forwarders.error());
    contestant.authority_ = forwarders->authority();
    contestant.forwarders_.emplace(std::move(*forwarders));
    return contestant;
  }
  const bool relayed = carrier == Carrier::relay;
  const OverlayShape shape{.nth = nth,
                           .relayed = relayed ? service : "",
                           .tunnelled = relayed ? "" : service,
                           .onward_tunnel = !relayed,
                           .relay_switches = relay_switches(configuration, congestion.legs),
                           .congestion = congestion.ends,
                           .pop_congestion = congestion.pops};
  auto overlay = Overlay::start(topology, shape, scratch, interrupt);
  if (!overlay) return std::unexpected(overlay.error());
  contestant.overlay_.emplace(std::move(*overlay));
  return contestant;
}

const Namespace& Contestant::middle_sender(const Topology& topology) const noexcept {
  return traits_of(configuration_).way == Way::unsplit ? topology.server() : topology.rs();
}

std::vector<pid_t> Contestant::pids() const {
  if (overlay_) return overlay_->pops();
  if (forwarders_) return forwarders_->pids();
  return {};
}

Result<void> Contestant::check() {
  if (overlay_) return overlay_->check();
  if (forwarders_) return forwarders_->check();
  return {};
}

std::vector<std::string> Contestant::commands() const {
  if (overlay_) return overlay_->commands();
  if (forwarders_) return forwarders_->commands();
  return {};
}

}  // namespace tw::lab
