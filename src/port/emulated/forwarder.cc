#include "port/emulated/forwarder.h"

#include "base/assert.h"

namespace tw {
namespace {

constexpr std::size_t trains_per_step = 16;
constexpr std::size_t train_bytes = 65'536;

}  // namespace

Forwarder::Forwarder(Port& source, Port& target)
    : source_(source),
      target_(target),
      wait_fd_{source.wait_fd()},
      batch_(trains_per_step, train_bytes) {}

Work Forwarder::poll(Instant, std::size_t budget) noexcept {
  Work work;
  while (work.packets < budget) {
    batch_.clear();
    const std::size_t came = source_.poll(batch_);
    if (came == 0) break;
    work.packets += came;
    for (const Train& train : batch_.trains()) work.bytes += train.length;
    send(batch_.trains());
  }
  work.more = work.packets >= budget;
  return work;
}

// A link does not try again: what the far end will not take is gone, and counted.
void Forwarder::send(std::span<const Train> trains) noexcept {
  while (!trains.empty()) {
    const SendResult result = target_.send(trains);
    counters_.forwarded.add(result.taken);
    trains = trains.subspan(result.taken);
    if (trains.empty()) break;
    counters_.refused.add();
    trains = trains.subspan(1);
  }
}

std::span<const int> Forwarder::wait_fds() const noexcept {
  if (wait_fd_[0] < 0) return {};
  return wait_fd_;
}

}  // namespace tw
