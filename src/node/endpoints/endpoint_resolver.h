// Host names of endpoints to addresses, on a thread of its own: the C library's resolver blocks for
// as long as name servers are silent, and whoever asks has other things to serve. One name at a
// time, each asked for once however often it is wanted: what waits is bounded by the names there
// are.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "node/config/config.h"
#include "wire/address.h"

namespace tw::node {

/// The answer that the system gives about a name now.
struct Lookup {
  std::optional<Endpoint> endpoint;  ///< empty: none
  int failure = 0;                   ///< of getaddrinfo(3)

  /// True if asking again soon cannot help: the name does not exist.
  bool is_final() const noexcept;
  std::string text() const;  ///< why there is no endpoint
};

/// Asks the system; blocks, but gives silent name servers a few seconds only. What is in figures,
/// "192.0.2.1" or "fe80::1%eth0", is asked of nobody. Changes the settings of the calling thread's
/// resolver.
Lookup look_up_endpoint(const EndpointName& name);
/// The same; the reason is logged if there is no answer.
std::optional<Endpoint> resolve_endpoint(const EndpointName& name);

struct ResolvedName {
  EndpointName name;
  std::optional<Endpoint> endpoint;  ///< empty: it does not resolve
};

class EndpointResolver {
 public:
  /// Called on the thread; may block, and may outlive the resolver if it does.
  using Ask = std::function<std::optional<Endpoint>(const EndpointName&)>;

  static Result<std::unique_ptr<EndpointResolver>> start(Ask lookup = resolve_endpoint);
  /// Never waits for a look-up that is under way: its thread ends by itself when that is over.
  ~EndpointResolver();
  EndpointResolver(const EndpointResolver&) = delete;
  EndpointResolver& operator=(const EndpointResolver&) = delete;

  /// A name that waits, or is being looked up, is not asked for again.
  void ask(const EndpointName& name);
  /// Readable when take() has something.
  int wait_fd() const noexcept;
  /// The answers that have come since the last call; never blocks.
  std::vector<ResolvedName> take();
  /// Blocks until nothing waits any more, at most that long; the answers are left for take(). False
  /// if some are still to come.
  bool settle(std::chrono::milliseconds patience);

 private:
  // Everything that the thread uses, so that it can outlive the resolver.
  struct Shared;

  explicit EndpointResolver(std::shared_ptr<Shared> shared) noexcept;

  const std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace tw::node
