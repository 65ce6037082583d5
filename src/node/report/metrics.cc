#include "node/report/metrics.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include "base/time.h"
#include "base/unique_fd.h"
#include "node/http/http_server.h"
#include "node/report/metrics_text.h"

namespace tw::node {
namespace {

/// Returns the time that poll() may wait from `now`, in ms, rounded up; -1: for ever.
int wait_ms(Instant now, Instant until) noexcept {
  if (until == Instant::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now);
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

}  // namespace

struct MetricsServer::State {
  std::unique_ptr<HttpServer> server;
  UniqueFd stop;
  SystemClock clock;
  std::thread thread;

  ~State() {
    if (!thread.joinable()) return;
    ::eventfd_write(stop.get(), 1);
    thread.join();
  }

  void run() {
    std::array<pollfd, 2> waits{{{server->wait_fd(), POLLIN, 0}, {stop.get(), POLLIN, 0}}};
    for (;;) {
      ::poll(waits.data(), waits.size(), wait_ms(clock.now(), server->next_deadline()));
      if (waits[1].revents != 0) return;
      server->handle(clock.now());
    }
  }
};

MetricsServer::MetricsServer(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
MetricsServer::~MetricsServer() = default;

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const Endpoint& listen, Source source,
                                                            HttpCounters& counters) {
  auto state = std::make_unique<State>();
  auto server = HttpServer::listen(
      listen, [source = std::move(source)] { return to_metrics(source()); }, counters);
  if (!server) {
    return make_error(Error::Kind::unavailable,
                      "node.metrics: cannot listen on " + listen.text() +
                          " — is the port in use? Choose another in [node] metrics");
  }
  state->server = std::move(*server);
  state->stop.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state->stop) return system_error("eventfd of the metrics");
  try {
    state->thread = std::thread{[of = state.get()] { of->run(); }};
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "thread of the metrics");
  }
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(state)));
}

}  // namespace tw::node
