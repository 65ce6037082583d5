// Remembers the rate that the path to each client sustained minutes ago, so that the next
// connection of that client need not find out from nothing. Learned from what connections to it
// really delivered, lowered by loss, and forgotten. A pure rule.
//
// A rate is the client's, not a connection's: starts at the same time share it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "base/time.h"
#include "relay/admission/principal.h"

namespace tw::relay {

/// Bits a second everywhere, of TCP payload. Not thread-safe: the relay's context has it.
class ClientRates {
 public:
  /// For so long without news. What is confirmed, or exceeded, is remembered anew.
  static constexpr Duration memory = 5min;
  /// Clients that are known at one time (principal.h); further ones start
  /// as the system does.
  static constexpr std::size_t most_clients = 4096;
  /// Less says little about a path.
  static constexpr std::uint64_t enough_bytes = 64U << 10U;
  /// So long after a stretch of a download that goes on others that start get half.
  static constexpr Duration busy_time = 1s;

  /// A stretch of a connection: what its socket sent and delivered since the one before, and the
  /// delivery rate that TCP measured last.
  struct Stretch {
    std::uint64_t sent_bytes = 0;  ///< again as well as for the first time
    std::uint64_t delivered_bytes = 0;
    std::uint64_t retransmitted_bytes = 0;
    std::uint64_t delivery_bps = 0;
    Duration rtt{};
    bool goes_on = false;  ///< the connection has more to send
    bool ends = false;     ///< it said before that it goes on
  };
  void learn(const Principal& client, const Stretch& stretch, Instant now);

  /// Returns the rate that a start to this client may use, at most `cap_bps`, all its starts
  /// together; 0: nothing is known, or others have it. To be given back.
  std::uint64_t take(const Principal& client, std::uint64_t cap_bps, Instant now) noexcept;
  void give_back(const Principal& client, std::uint64_t bps) noexcept;

  /// Clients of whom something is remembered. Costs a look at each.
  std::size_t known(Instant now) const noexcept;
  /// Connections that started faster than by themselves.
  std::uint64_t starts() const noexcept { return starts_; }
  void count_start() noexcept { ++starts_; }

 private:
  struct Client {
    std::uint64_t bps = 0;
    std::uint64_t taken_bps = 0;  // by starts that are not over
    Instant learned, lowered_again, busy_until;
  };
  static bool is_fresh(const Client& client, Instant now) noexcept {
    return client.bps > 0 && now - client.learned < memory;
  }
  Client* remember(const Principal& client, Instant now);

  std::unordered_map<Principal, Client> clients_;
  std::uint64_t starts_ = 0;
};

}  // namespace tw::relay
