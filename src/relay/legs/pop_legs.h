// Connections to another PoP, inside the tunnel, with the target in a PROXY v2 header. Some are
// kept warm (leg_pool.h); whether the PoP answers decides if new connections go by it
// (pop_health.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "relay/legs/leg_pool.h"
#include "relay/legs/leg_source.h"
#include "relay/legs/leg_watch.h"
#include "relay/pops/pop_health.h"
#include "relay/proof/pop_proof.h"
#include "relay/settings.h"

namespace tw::relay {

class PopLegs final : public LegSource {
 public:
  /// `settings` names the device, our addresses, the leg port, turbo start, pool and limits;
  /// nothing is kept of it by reference. The pool is filled by poll(), which is due at once.
  /// `proof` is that of the PoP's key.
  PopLegs(const RelaySettings& settings, const PopSettings& pop, std::shared_ptr<PopProof> proof,
          std::unique_ptr<RandomSource> random = std::make_unique<SystemRandom>());

  /// For what is acquired from now on; the pool follows at the next poll(). Warm legs stay, unless
  /// they would be made otherwise now: device, addresses, port, turbo start, or what they prove.
  void apply(const RelaySettings& settings, const PopSettings& pop,
             std::shared_ptr<PopProof> proof);

  /// From the pool; if that is empty, a fresh connection. Fails if we have no address of the PoP's
  /// family to come from: it would not know us.
  Result<Leg> acquire(const LegRequest& request, Instant now) override;

  /// True if new connections should go by this PoP.
  bool is_usable(Instant now) const noexcept { return health_.is_usable(pool_.state(), now); }
  /// A leg was silent for patience(), or could not be made. What is warm is given up.
  void suspect(Instant now);
  /// Finds out whether the PoP still has the legs in use.
  LegWatch& watch() noexcept { return watch_; }
  /// One that had to has not proven to be this PoP: said in the log, at most once a minute.
  void warn_unproven(Instant now);
  /// A leg has been answered.
  void answered() noexcept { health_.answered(); }
  /// As warm legs were connected; zero: unknown.
  Duration rtt() const noexcept { return pool_.state().connect_rtt; }
  Duration patience() const noexcept { return PopHealth::patience(rtt()); }

  int wait_fd() const noexcept override { return pool_.wait_fd(); }
  void poll(Instant now) override;
  Instant next_deadline() const noexcept override { return pool_.next_deadline(); }
  LegSourceState state() const noexcept override { return pool_.state(); }
  void close_idle() noexcept override;
  /// After close_idle(): legs are kept warm again, as the next apply() says.
  void reopen() noexcept { closed_ = false; }

 private:
  // The properties that a warm leg was made with: as long as they stay, so may the legs.
  struct Path {
    std::string device;
    std::optional<IpAddress> source;  // none of the PoP's family: no leg can be made
    Endpoint pop;
    TurboSettings turbo;
    Legs legs = Legs::authenticated;
    std::uint32_t mark = 0;  // SO_MARK
    bool makes_the_same_legs_as(const Path& other) const noexcept;
  };
  static Path path_of(const RelaySettings& settings, const PopSettings& pop);
  Result<UniqueFd> connect();
  FirstBytes unsealed_header(const LegRequest& request) const;

  /// More that wait are not known any more, and the window of such a leg is taken for an open one.
  static constexpr std::size_t most_held_late = 256;
  const std::unique_ptr<RandomSource> random_;
  std::string name_;
  Path path_;
  RelayLimits limits_;
  std::vector<int> held_late_;  // descriptors: Leg::held_late
  std::shared_ptr<PopProof> proof_;
  LegPool pool_;
  bool closed_ = false;  // close_idle() has been called
  PopHealth health_;
  LegWatch watch_;
  std::uint64_t died_ = 0;                           // of the pool, when last looked at
  bool said_failing_ = false, said_silent_ = false;  // in the log
  Instant warn_unproven_again_;
};

}  // namespace tw::relay
