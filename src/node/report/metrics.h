// The node's status as Prometheus text over HTTP on a loopback address.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "node/http/http_connection.h"
#include "node/report/status.h"
#include "wire/address.h"

namespace tw::node {

class MetricsServer {
 public:
  /// Asked for a scrape, from the server's thread, 20 times a second at most.
  using Source = std::function<NodeStatus()>;

  /// `listen` is a loopback address (the configuration has checked it). Fails if it is in use.
  /// `counters` must outlive the server.
  static Result<std::unique_ptr<MetricsServer>> start(const Endpoint& listen, Source source,
                                                      HttpCounters& counters);
  ~MetricsServer();  ///< returns when no scrape is under way

 private:
  struct State;
  explicit MetricsServer(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace tw::node
