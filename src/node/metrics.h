// The node's status as Prometheus text over HTTP on a loopback address.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "node/status.h"
#include "wire/address.h"

namespace tw::node {

class MetricsServer {
 public:
  /// Asked at each scrape, from a thread of the HTTP server.
  using Source = std::function<NodeStatus()>;

  /// `listen` is a loopback address (the configuration has checked it). Fails if it is in use.
  static Result<std::unique_ptr<MetricsServer>> start(const Endpoint& listen, Source source);
  ~MetricsServer();  ///< returns when no scrape is under way

 private:
  struct State;
  explicit MetricsServer(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace tw::node
