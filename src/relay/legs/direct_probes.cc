#include "relay/legs/direct_probes.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "relay/sockets/sockets.h"

namespace tw::relay {

DirectProbes::DirectProbes() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

void DirectProbes::begin(const Endpoint& target, const RelayLimits& limits, Instant now) {
  if (wait_fd() < 0 || probes_.size() >= most_at_once) return;
  auto socket = open_onward({.target = target, .limits = &limits});
  if (!socket) return;
  epoll_event event{.events = EPOLLOUT | EPOLLET, .data = {.fd = socket->get()}};
  if (::epoll_ctl(wait_fd(), EPOLL_CTL_ADD, socket->get(), &event) != 0) return;
  probes_.push_back({.target = target, .socket = *std::move(socket), .until = now + patience});
}

void DirectProbes::poll(Instant now, const Measured& measured) {
  std::array<epoll_event, most_at_once> events;
  const int count =
      wait_fd() < 0 ? 0
                    : ::epoll_wait(wait_fd(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const int ready = events[static_cast<std::size_t>(i)].data.fd;
    const auto probe = std::ranges::find_if(
        probes_, [ready](const Probe& each) { return each.socket.get() == ready; });
    if (probe == probes_.end()) continue;
    const Duration rtt = take_error(ready) == 0 ? connect_rtt(ready) : Duration{0};
    if (rtt > Duration::zero()) measured(probe->target, rtt);
    probes_.erase(probe);
  }
  std::erase_if(probes_, [now](const Probe& probe) { return now >= probe.until; });
}

Instant DirectProbes::next_deadline() const noexcept {
  return probes_.empty() ? Instant::max() : probes_.front().until;
}

}  // namespace tw::relay
