// The options of a run of the load generator, and what follows from them: sizes on the wire,
// packets to send, and which combinations make no sense.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "wire/address.h"

namespace tw::lab {

/// The traffic of an attacker beside the load.
enum class FloodKind : std::uint8_t {
  none,
  bad_mac1,      ///< initiations of random bytes
  spoofed,       ///< initiations with a valid mac1, from many source addresses
  random_index,  ///< transport data for receiver indices that nobody has
};
inline constexpr std::array flood_names{std::string_view{"none"}, std::string_view{"bad-mac1"},
                                        std::string_view{"spoofed"},
                                        std::string_view{"random-index"}};

struct ClientsOptions {
  Endpoint target{};                                       ///< of the WireGuard device under load
  std::optional<crypto::PublicKey> target_key{};           ///< none: the one derived from the seed
  std::uint64_t seed = 1;                                  ///< of every key
  Prefix addresses = {IpAddress::v4({10, 64, 0, 0}), 10};  ///< of which each peer gets one

  std::uint32_t peers = 50;
  double rate_bps = 100e6;    ///< of inner packets, all peers together; 0: as fast as possible
  std::uint32_t burst = 1;    ///< packets that leave together
  bool interleave = false;    ///< they are of different peers: no train
  std::uint32_t size = 1420;  ///< bytes of an inner packet, with its IP header
  std::uint32_t sockets = 0;  ///< that the peers share; 0: one each, at most default_sockets
  bool sealed_ahead = false;
  std::uint64_t ahead_bytes = std::uint64_t{2} << 30U;  ///< the most that may be sealed ahead
  std::optional<Endpoint> sink{};                       ///< where the inner packets go, IPv4
  std::string sink_netns{};  ///< the namespace that has that address; empty: ours

  bool handshakes_only = false;
  std::uint32_t outstanding = 64;  ///< handshakes under way at a time
  Duration handshake_timeout = 15s;

  bool bystander = false;
  Duration bystander_interval = 5ms;

  FloodKind flood = FloodKind::none;
  double flood_pps = 100'000;
  Prefix spoof_from = {IpAddress::v4({198, 18, 0, 0}), 15};

  Duration duration = 10s;
  Duration warmup = 1s;  ///< sent and not counted, before

  static constexpr std::uint32_t default_sockets = 256;
  static constexpr std::uint32_t most_peers = 100'000;
  static constexpr std::uint32_t most_burst = 64;
  static constexpr std::uint32_t least_size = 68;  ///< headers, and the stamp (pattern.h)
  static constexpr std::uint32_t most_size = 9000;
  /// A keypair is replaced from 120 s on: what is sealed ahead must have left by then.
  static constexpr Duration most_ahead = 110s;

  bool sends_load() const noexcept { return peers > 0 && !handshakes_only; }
  std::uint32_t socket_count() const noexcept;
  /// Bytes of the sealed text: zero-padded to 16, but not beyond a packet of 1,420 (section 5.4.6).
  std::uint32_t padded_size() const noexcept;
  /// Bytes of a datagram's payload on the wire.
  std::uint32_t wire_size() const noexcept;
  /// Packets of all peers in `time` at the rate; 0 if that is unlimited.
  std::uint64_t packets_in(Duration time) const noexcept;
};

/// Fails unless there are addresses for all clients.
Result<void> check_identity(const ClientsOptions& options);
/// Fails if the run makes no sense. The error says why, in the words of the command line.
Result<void> check(const ClientsOptions& options);

/// "ADDR:PORT" or "NAME:PORT", asked of the system's resolver.
Result<Endpoint> resolve(const std::string& text);
/// "2500000", "100k", "100M", "1.5G": decimal, not negative.
std::optional<double> parse_rate(std::string_view text);

}  // namespace tw::lab
