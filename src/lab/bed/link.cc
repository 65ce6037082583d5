#include "lab/bed/link.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "exec/worker.h"
#include "port/emulated/forwarder.h"
#include "port/tun/tun_port.h"
#include "port/udp/sockets.h"

namespace tw::lab {
namespace {

/// So much of a burst may wait in the device while our thread is not running: a hiccup of the
/// machine must not look like a loss of the link.
constexpr int device_queue_packets = 4096;

Result<TunDevice> make_device(const LinkEnd& end, Interrupt& interrupt) {
  TunDevice device;
  auto opened = end.host.enter([&]() -> Result<void> {
    auto tun = open_tun(end.device, {});
    if (!tun) return std::unexpected(tun.error());
    device = std::move(*tun);
    return {};
  });
  if (opened && !end.address.empty()) {
    opened = end.host.ip(fmt::format("address add {1} dev {0}\nlink set {0} txqueuelen {2} up\n",
                                     end.device, end.address, device_queue_packets),
                         interrupt);
  }
  if (!opened) return in_context(end.host.name() + " " + end.device, opened.error());
  return device;
}

/// From one device to the other, on a thread of its own. It has descriptors of its own as well: a
/// port is used by one context only.
class Direction {
 public:
  Direction(UniqueFd source, UniqueFd target, std::size_t vnet_bytes, const LinkSettings& settings,
            const Clock& clock)
      : source_(std::move(source), vnet_bytes),
        target_(std::move(target), vnet_bytes),
        delayed_(source_, settings, clock),
        forwarder_(delayed_, target_) {}

  Result<void> start(const std::string& name, const Clock& clock) {
    // A link that is late because something else had the CPU is not the link that was asked for.
    if (start_with_priority(name, clock, link_priority)) return {};
    return start_with_priority(name, clock, 0);
  }

  std::uint64_t dropped() const noexcept { return delayed_.counters().queue_dropped.value(); }
  void set_rate(std::uint64_t rate_bps) noexcept { delayed_.set_rate(rate_bps); }

 private:
  static constexpr int link_priority = 20;

  Result<void> start_with_priority(const std::string& name, const Clock& clock, int priority) {
    auto worker = Worker::create({.name = name, .fifo_priority = priority}, clock);
    if (!worker) return std::unexpected(worker.error());
    (*worker)->attach(forwarder_);
    if (Result<void> started = (*worker)->start(); !started) return started;
    worker_ = std::move(*worker);
    return {};
  }

  TunPort source_;
  TunPort target_;
  EmulatedPort delayed_;
  Forwarder forwarder_;
  std::unique_ptr<Worker> worker_;  ///< destroyed, and so stopped, first
};

UniqueFd duplicate(const UniqueFd& fd) { return UniqueFd{fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)}; }

}  // namespace

LinkDirections directions_of(const LinkShape& shape) {
  constexpr std::size_t least_queue_bytes = std::size_t{128} << 10U;
  LinkSettings settings{.delay = shape.rtt / 2,
                        .rate_bps = shape.rate_bps,
                        .loss = shape.loss,
                        .seed = 2 * shape.seed};
  if (shape.rate_bps > 0) {
    const double seconds = std::chrono::duration<double>(shape.queue).count();
    const double bytes = seconds * static_cast<double>(shape.rate_bps) / 8;
    settings.queue_bytes = std::max(static_cast<std::size_t>(bytes), least_queue_bytes);
  }
  LinkDirections directions{settings, settings};
  ++directions.back.seed;
  return directions;
}

struct EmulatedLink::Parts {
  SystemClock clock;
  std::optional<Direction> onward;
  std::optional<Direction> back;
};

EmulatedLink::EmulatedLink(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
EmulatedLink::EmulatedLink(EmulatedLink&&) noexcept = default;
EmulatedLink::~EmulatedLink() = default;

std::uint64_t EmulatedLink::dropped() const noexcept {
  return parts_->onward->dropped() + parts_->back->dropped();
}

void EmulatedLink::set_rate(std::uint64_t rate_bps) noexcept {
  parts_->onward->set_rate(rate_bps);
  parts_->back->set_rate(rate_bps);
}

Result<EmulatedLink> EmulatedLink::create(const LinkEnd& near, const LinkEnd& far,
                                          const LinkDirections& directions, Interrupt& interrupt) {
  auto near_device = make_device(near, interrupt);
  if (!near_device) return std::unexpected(near_device.error());
  auto far_device = make_device(far, interrupt);
  if (!far_device) return std::unexpected(far_device.error());
  UniqueFd& near_queue = near_device->queues.front();
  UniqueFd& far_queue = far_device->queues.front();
  UniqueFd near_again = duplicate(near_queue);
  UniqueFd far_again = duplicate(far_queue);
  if (!near_again || !far_again) return system_error("duplicate a TUN descriptor");

  auto parts = std::make_unique<Parts>();
  const std::size_t vnet_bytes = near_device->vnet_bytes;  // both were asked for the same
  parts->onward.emplace(std::move(near_queue), std::move(far_queue), vnet_bytes, directions.onward,
                        parts->clock);
  parts->back.emplace(std::move(far_again), std::move(near_again), vnet_bytes, directions.back,
                      parts->clock);
  if (auto started = parts->onward->start("link-onward", parts->clock); !started) {
    return std::unexpected(started.error());
  }
  if (auto started = parts->back->start("link-back", parts->clock); !started) {
    return std::unexpected(started.error());
  }
  return EmulatedLink{std::move(parts)};
}

}  // namespace tw::lab
