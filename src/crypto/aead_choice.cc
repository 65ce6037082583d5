#include "crypto/aead_choice.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "crypto/aead_check.h"

namespace tw::crypto {
namespace {

constexpr std::size_t batch = 32;
constexpr std::uint32_t packet_size = 1420;
constexpr int rounds = 8;

/// The fastest of some rounds: what else runs on the machine only ever adds, and the first round
/// finds the caches cold.
Duration time_per_packet(AeadEngine& engine, const Clock& clock) {
  const SymmetricKey key;  // of no worth: every round seals zeros under the same nonces
  std::vector<std::uint8_t> texts(batch * (packet_size + 16));
  std::array<AeadJob, batch> jobs;
  for (std::size_t at = 0; at < batch; ++at) {
    jobs[at] = {.key = &key,
                .counter = at,
                .text = texts.data() + at * (packet_size + 16),
                .length = packet_size};
  }
  Duration fastest = Duration::max();
  for (int round = 0; round < rounds; ++round) {
    const Instant before = clock.now();
    engine.submit_seal(jobs);
    engine.complete();
    engine.submit_open(jobs);
    engine.complete();
    fastest = std::min(fastest, clock.now() - before);
  }
  return fastest / (2 * batch);
}

AeadTrial try_out(const AeadCandidate& candidate, const Clock& clock) {
  AeadTrial trial{.name = candidate.name, .refused = {}};
  const Result<std::unique_ptr<AeadEngine>> engine = candidate.make();
  if (!engine) {
    trial.refused = engine.error().detail;
    return trial;
  }
  trial.refused = fault_of(**engine);
  if (trial.refused.empty()) trial.per_packet = time_per_packet(**engine, clock);
  return trial;
}

/// "ipsec-mb: the CPU lacks …; openssl: …"
std::string listed(std::span<const AeadTrial> trials) {
  std::string text;
  for (const AeadTrial& trial : trials) {
    if (!text.empty()) text += "; ";
    text.append(trial.name).append(": ").append(trial.refused);
  }
  return text;
}

std::unexpected<Error> no_such_engine(std::string_view requested,
                                      std::span<const AeadCandidate> candidates) {
  std::string text = "cipher engine \"" + std::string{requested} + "\": there is ";
  text += automatic_engine;
  for (const AeadCandidate& candidate : candidates) text.append(", ").append(candidate.name);
  return make_error(Error::Kind::config, std::move(text));
}

}  // namespace

std::unique_ptr<AeadEngine> AeadChoice::make() const {
  Result<std::unique_ptr<AeadEngine>> engine = chosen.make();
  TW_ASSERT(engine.has_value());  // it was made once, and nothing it depends on can change
  return *std::move(engine);
}

std::span<const AeadCandidate> aead_candidates() noexcept {
  static constexpr auto openssl = []() -> Result<std::unique_ptr<AeadEngine>> {
    std::unique_ptr<AeadEngine> engine = make_openssl_engine();
    if (engine == nullptr) {
      return make_error(Error::Kind::unavailable, "this OpenSSL has no ChaCha20-Poly1305");
    }
    return engine;
  };
  static constexpr std::array<AeadCandidate, 3> candidates{
      {{.name = "ipsec-mb", .make = make_ipsec_mb_engine},
       {.name = "boringssl", .make = make_boringssl_engine},
       {.name = "openssl", .make = openssl}}};
  return candidates;
}

Result<AeadChoice> choose_aead_engine(std::string_view requested, const Clock& clock) {
  return choose_aead_engine(requested, clock, aead_candidates());
}

Result<AeadChoice> choose_aead_engine(std::string_view requested, const Clock& clock,
                                      std::span<const AeadCandidate> candidates) {
  AeadChoice choice;
  for (const AeadCandidate& candidate : candidates) {
    if (requested != automatic_engine && requested != candidate.name) continue;
    const AeadTrial& trial = choice.trials.emplace_back(try_out(candidate, clock));
    if (!trial.refused.empty()) continue;
    if (choice.chosen.make == nullptr || trial.per_packet < choice.per_packet) {
      choice.chosen = candidate;
      choice.per_packet = trial.per_packet;
    }
  }
  if (choice.trials.empty()) return no_such_engine(requested, candidates);
  if (choice.chosen.make == nullptr) {
    return make_error(Error::Kind::unavailable,
                      "no usable cipher engine: " + listed(choice.trials));
  }
  return choice;
}

}  // namespace tw::crypto
