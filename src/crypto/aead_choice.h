// Chooses the engine that seals and opens on this machine: every one that this build has is checked
// (aead_check.h) and timed at the start, and the fastest that is right is taken. Which is fastest
// depends on the CPU, and is not for us to know.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/aead_engine.h"

namespace tw::crypto {

struct AeadCandidate {
  std::string_view name;  ///< literal; what its engines answer to name()
  Result<std::unique_ptr<AeadEngine>> (*make)() = nullptr;
};

/// The result of one candidate's trial at the start.
struct AeadTrial {
  std::string_view name;
  std::string refused;     ///< why it was not considered; empty if it was
  Duration per_packet{0};  ///< to seal or open 1,420 bytes, in batches of 32; 0 if refused
};

struct AeadChoice {
  AeadCandidate chosen;
  Duration per_packet{0};
  std::vector<AeadTrial> trials;  ///< of all candidates, the chosen one too

  /// One engine for each context that needs one; never null.
  std::unique_ptr<AeadEngine> make() const;
};

/// "automatic": all candidates compete.
inline constexpr std::string_view automatic_engine = "automatic";

/// "ipsec-mb", "boringssl" and "openssl", whether or not this machine can run them.
std::span<const AeadCandidate> aead_candidates() noexcept;

/// Tries the candidates, or only the one of the requested name; 3 to 5 ms in all, with loading
/// them. Fails with `config` if there is no such name, and with `unavailable` and every reason if
/// none is usable.
///
///   clock   read only around the batches that are timed, at most 16 times a candidate
Result<AeadChoice> choose_aead_engine(std::string_view requested, const Clock& clock);
/// The same among others than this build's.
Result<AeadChoice> choose_aead_engine(std::string_view requested, const Clock& clock,
                                      std::span<const AeadCandidate> candidates);

}  // namespace tw::crypto
