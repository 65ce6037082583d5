// The host names that peers' endpoints were configured by, and the thread that looks them up: at
// start and reload, and again when a peer does not answer.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "node/config/config.h"
#include "node/endpoints/endpoint_resolver.h"
#include "node/endpoints/named_endpoints.h"

namespace tw::node {

/// Belongs to one thread. It only says which peers are to move: moving them is the caller's.
class EndpointNames {
 public:
  /// Begins to look up the names of these peers. `clock` must outlive the names.
  static Result<std::unique_ptr<EndpointNames>> start(
      const std::vector<PeerConfig>& peers, const Clock& clock,
      EndpointResolver::Ask lookup = resolve_endpoint);

  /// Returns what the names stand for, as far as it is known.
  const NamedEndpoints& known() const noexcept { return named_; }
  /// Returns what known() will be with these peers; nothing is asked for yet.
  NamedEndpoints known_with(const std::vector<PeerConfig>& peers) const;
  /// Takes known_with() over, and looks all its names up, in the background.
  void adopt(NamedEndpoints named);

  /// Waits for the answers, ten seconds at most: a peer whose name takes longer gets its endpoint
  /// later. `look` is called every 20 ms or more often, and ends the waiting by returning false.
  void await(const std::function<bool()>& look);
  /// Readable when take() has something.
  int wait_fd() const noexcept { return resolver_->wait_fd(); }
  /// Returns the peers that the answers since the last call move. Never blocks.
  std::vector<NamedEndpoints::Move> take();

  /// Looks the names of peers up that do not answer where they are.
  void look_up_again(std::span<const crypto::PublicKey> unanswered);
  /// Looks up names that have no address yet, when it is their turn. Returns in how many
  /// milliseconds the next one has its turn, or -1.
  int look_up_due();

 private:
  EndpointNames(std::unique_ptr<EndpointResolver> resolver, const Clock& clock);
  void look_up_all();

  const Clock& clock_;
  NamedEndpoints named_;
  std::unique_ptr<EndpointResolver> resolver_;
};

}  // namespace tw::node
