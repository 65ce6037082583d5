#include "relay/legs/pop_legs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "relay/legs/client_header.h"
#include "relay/legs/leg_header.h"
#include "relay/sockets/sockets.h"

namespace tw::relay {
namespace {

// A PoP that is sent no connections needs no warm legs.
PoolSettings pool_of(const RelaySettings& settings, const PopSettings& pop) {
  PoolSettings pool = settings.pool;
  if (pop.routes.empty()) pool.enabled = false;
  return pool;
}

}  // namespace

PopLegs::PopLegs(const RelaySettings& settings, const PopSettings& pop,
                 std::shared_ptr<PopProof> proof, std::unique_ptr<RandomSource> random)
    : random_(std::move(random)),
      name_(pop.name),
      path_(path_of(settings, pop)),
      limits_(settings.limits),
      proof_(std::move(proof)),
      pool_([this] { return connect(); }, *random_, proof_) {
  if (pool_.wait_fd() < 0) {
    log::warning("relay: PoP {}: no descriptor left to watch warm legs with; there will be none",
                 name_);
  }
  pool_.apply(pool_of(settings, pop), limits_, /*probe=*/!pop.routes.empty());
}

PopLegs::Path PopLegs::path_of(const RelaySettings& settings, const PopSettings& pop) {
  Path path{.device = settings.tun_device,
            .source = std::nullopt,
            .pop = {pop.overlay_address, settings.leg_port, 0},
            .turbo = settings.turbo,
            .legs = pop.legs,
            .mark = settings.own_mark};
  const auto ours =
      std::ranges::find(settings.leg_addresses, pop.overlay_address.family(), &IpAddress::family);
  if (ours != settings.leg_addresses.end()) path.source = *ours;
  return path;
}

// The pacing rate is set when a leg is used, whatever it was when the leg was made.
bool PopLegs::Path::makes_the_same_legs_as(const Path& other) const noexcept {
  return device == other.device && source == other.source && pop == other.pop &&
         legs == other.legs && turbo.initcwnd == other.turbo.initcwnd &&
         turbo.socket_buffer_bytes == other.turbo.socket_buffer_bytes &&
         turbo.congestion_control == other.turbo.congestion_control;
}

void PopLegs::apply(const RelaySettings& settings, const PopSettings& pop,
                    std::shared_ptr<PopProof> proof) {
  name_ = pop.name;
  limits_ = settings.limits;
  Path wanted = path_of(settings, pop);
  const bool same = wanted.makes_the_same_legs_as(path_) && proof == proof_;
  path_ = std::move(wanted);
  if (!same) {
    pool_.drop_all();
    said_failing_ = false;
    proof_ = std::move(proof);
    proof_->doubt();
    pool_.prove_by(proof_);
  }
  if (!closed_) {
    pool_.apply(pool_of(settings, pop), limits_, /*probe=*/!pop.routes.empty());
  }
}

Result<UniqueFd> PopLegs::connect() {
  if (!path_.source) {
    return make_error(Error::Kind::unavailable, "connect to " + path_.pop.text() +
                                                    ": no overlay address of its family is ours");
  }
  if (proof_->is_required() && !proof_->has_key()) {
    return make_error(Error::Kind::unavailable, "no key to prove legs to PoP " + name_ + " with");
  }
  bool held_late = false;
  auto socket = open_onward({.target = path_.pop,
                             .device = path_.device,
                             .source = {*path_.source, 0, 0},
                             .turbo = &path_.turbo,
                             .limits = &limits_,
                             .held_late = &held_late,
                             .mark = path_.mark});
  if (held_late && socket) {
    if (held_late_.size() >= most_held_late) held_late_.erase(held_late_.begin());
    held_late_.push_back(socket->get());
  }
  return socket;
}

Result<Leg> PopLegs::acquire(const LegRequest& request, Instant now) {
  if (proof_->is_required() && !proof_->has_key()) warn_unproven(now);
  std::optional<crypto::Mac> bond;
  UniqueFd socket = request.fresh ? UniqueFd{} : pool_.take(now, &bond);
  const bool warm = static_cast<bool>(socket);
  if (!warm) {
    auto fresh = connect();
    if (!fresh) return std::unexpected(std::move(fresh.error()));
    socket = *std::move(fresh);
  }
  const bool held_late = std::erase(held_late_, socket.get()) > 0;
  Leg leg{.socket = std::move(socket),
          .header = unsealed_header(request),
          .connected = warm,
          .warm = warm,
          .answers = request.answer,
          .held = is_held(path_.turbo),
          .held_late = held_late,
          .proof = proof_};
  if (bond) {
    // One that has failed meanwhile is found out when the header is sent.
    const auto ends = ends_of_connected(leg.socket.get());
    proof_->seal_bound(leg.header.span(), ends.value_or(LegEnds{}), *bond);
    leg.proof = nullptr;
  }
  return leg;
}

FirstBytes PopLegs::unsealed_header(const LegRequest& request) const {
  std::array<std::uint8_t, leg_tlv_size + proof_tlv_size> tlvs;
  const ByteView options = write_leg_options(
      {.fast_open = request.fast_open, .answer = request.answer, .hops = request.hops},
      std::span{tlvs}.first<leg_tlv_size>());
  const ProofTlv proof = blank_proof();
  std::ranges::copy(proof, tlvs.begin() + static_cast<std::ptrdiff_t>(options.size()));
  const std::size_t size = options.size() + (proof_->has_key() ? proof.size() : 0);
  return client_header(request, ByteView{tlvs}.first(size));
}

void PopLegs::poll(Instant now) {
  pool_.poll(now);
  if (said_silent_ && is_usable(now)) {
    said_silent_ = false;
    log::info("relay: PoP {} answers again", name_);
  }
  const LegSourceState state = pool_.state();
  if (std::exchange(died_, state.died) != state.died) watch_.hurry();
  const bool failing = state.failures_in_row > 0;
  if (failing == said_failing_) return;
  said_failing_ = failing;
  if (failing) {
    log::warning("relay: PoP {}: no warm legs, trying again: {}", name_, pool_.last_error().text());
  } else {
    log::info("relay: PoP {}: legs are kept warm again", name_);
  }
}

void PopLegs::suspect(Instant now) {
  const bool was_usable = is_usable(now);
  health_.suspect(pool_.state(), now);
  if (!was_usable) return;
  log::warning("relay: PoP {} does not answer: new connections go elsewhere, if they can", name_);
  said_silent_ = true;
  pool_.abandon();
}

void PopLegs::warn_unproven(Instant now) {
  if (now < warn_unproven_again_) return;
  warn_unproven_again_ = now + 1min;
  if (!proof_->has_key()) {
    log::warning(
        "relay: PoP {}: no key to prove legs with: the tunnel has no private key, or not this "
        "peer. "
        "No leg is made; with legs = \"any\" in its [[pop]] they would be, unproven",
        name_);
    return;
  }
  log::warning(
      "relay: PoP {} did not prove to be what it should: it runs an older version, the keys of the "
      "pair differ, or somebody else answers at {}. Until it is upgraded write legs = \"any\" in "
      "its [[pop]]",
      name_, path_.pop.text());
}

void PopLegs::close_idle() noexcept {
  closed_ = true;
  said_failing_ = false;
  pool_.apply({.enabled = false}, limits_);
  pool_.drop_all();
}

}  // namespace tw::relay
