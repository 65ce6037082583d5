#include "node/endpoints/endpoint_names.h"

#include <chrono>
#include <utility>

#include "base/log.h"

namespace tw::node {
namespace {

/// The longest time that a start waits for name servers.
constexpr std::chrono::seconds start_patience{10};
/// The start waits so long at a time.
constexpr std::chrono::milliseconds start_look{20};

}  // namespace

EndpointNames::EndpointNames(std::unique_ptr<EndpointResolver> resolver, const Clock& clock)
    : clock_(clock), resolver_(std::move(resolver)) {}

Result<std::unique_ptr<EndpointNames>> EndpointNames::start(const std::vector<PeerConfig>& peers,
                                                            const Clock& clock,
                                                            EndpointResolver::Ask lookup) {
  Result<std::unique_ptr<EndpointResolver>> resolver = EndpointResolver::start(std::move(lookup));
  if (!resolver) return std::unexpected(resolver.error());
  std::unique_ptr<EndpointNames> names{new EndpointNames(std::move(*resolver), clock)};
  names->named_.configure(peers);
  if (const std::size_t count = names->named_.names().size(); count > 0) {
    log::info("resolving the names of {} endpoints, for at most {} s", count,
              start_patience.count());
  }
  names->look_up_all();
  return names;
}

NamedEndpoints EndpointNames::known_with(const std::vector<PeerConfig>& peers) const {
  NamedEndpoints named = named_;
  named.configure(peers);
  return named;
}

void EndpointNames::adopt(NamedEndpoints named) {
  named_ = std::move(named);
  look_up_all();
}

void EndpointNames::look_up_all() {
  for (const EndpointName& name : named_.names()) resolver_->ask(name);
}

void EndpointNames::await(const std::function<bool()>& look) {
  const Instant until = clock_.now() + start_patience;
  bool settled = false;
  bool go_on = look();
  while (go_on && !settled && clock_.now() < until) {
    settled = resolver_->settle(start_look);
    go_on = look();
  }
  if (go_on && !settled) {
    log::warning("some names are still being resolved: their peers wait, and the node goes on");
  }
}

std::vector<NamedEndpoints::Move> EndpointNames::take() {
  std::vector<NamedEndpoints::Move> moves;
  for (const ResolvedName& answer : resolver_->take()) {
    const auto more = named_.resolved(answer, clock_.now());
    moves.insert(moves.end(), more.begin(), more.end());
  }
  return moves;
}

void EndpointNames::look_up_again(std::span<const crypto::PublicKey> unanswered) {
  for (const crypto::PublicKey& peer : unanswered) {
    if (const auto name = named_.unanswered(peer)) resolver_->ask(*name);
  }
}

int EndpointNames::look_up_due() {
  const Instant now = clock_.now();
  for (const EndpointName& name : named_.due(now)) resolver_->ask(name);
  const Instant next = named_.next_due();
  if (next == Instant::max()) return -1;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next - now).count());
}

}  // namespace tw::node
