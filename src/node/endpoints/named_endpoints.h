// Knows which peers are configured by a host name, what the names last resolved to, and which of
// the peers have stopped answering. Pure: the resolver and the device are asked by the node.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/time.h"
#include "crypto/secret.h"
#include "node/config/config.h"
#include "node/device/device.h"
#include "node/endpoints/endpoint_resolver.h"
#include "wire/address.h"

namespace tw::node {

class NamedEndpoints {
 public:
  /// The peers of a new configuration. What is known of names that stay is kept.
  void configure(const std::vector<PeerConfig>& peers);
  /// Every name, once.
  std::vector<EndpointName> names() const;
  /// Returns the peer's configured endpoint, as far as it is known: a number is its own answer.
  std::optional<Endpoint> of(const PeerConfig& peer) const;

  /// The peer does not answer handshakes. Its name, to be resolved again; empty if it has none.
  std::optional<EndpointName> unanswered(const crypto::PublicKey& peer);

  /// An endpoint that a peer is to have now.
  struct Move {
    crypto::PublicKey peer;
    Endpoint endpoint;
  };
  /// Takes an answer down: whom a new one moves and, of others, who does not answer where it is,
  /// because peers roam. A name that does not resolve any more keeps its last address; one that
  /// never did has another turn, after a wait that doubles from first_wait to longest_wait.
  std::vector<Move> resolved(const ResolvedName& answer, Instant now);

  static constexpr Duration first_wait = 1s, longest_wait = 60s;
  /// The names without an address whose turn has come, to be asked for now: once a turn.
  std::vector<EndpointName> due(Instant now);
  /// When the next one has its turn; Instant::max() if none waits.
  Instant next_due() const noexcept;

 private:
  struct NamedPeer {
    EndpointName name;
    bool answers = true;
  };
  std::unordered_map<crypto::PublicKey, NamedPeer> peers_;
  std::unordered_map<std::string, Endpoint> known_;  // by text_of(name)
  struct Wait {
    EndpointName name;
    Duration length = first_wait;
    Instant end = Instant::max();  // max: it is being asked for
  };
  std::unordered_map<std::string, Wait> unknown_;  // that were asked for in vain
};

}  // namespace tw::node
