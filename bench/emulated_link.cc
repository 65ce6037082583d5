// bench_link: an emulated link between two network namespaces that exist, for bench/pop and
// bench/legs. It makes a TUN device in each, says "ready", and moves packets until it is told to
// end.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/worker.h"
#include "port/emulated/emulated_port.h"
#include "port/emulated/forwarder.h"
#include "port/tun/tun_port.h"
#include "port/udp/sockets.h"

namespace tw {
namespace {

constexpr const char* usage =
    R"(usage: bench_link NAMESPACE DEVICE NAMESPACE DEVICE RATE_MBPS RTT_US QUEUE_MS [OPTION=VALUE…]
Moves packets between a new device in each namespace. SIGUSR1: prints how many segments its queues
have dropped.

  --then-mbps=RATE              the rate from SIGUSR2 on; the queue stays as it is in bytes
Of one direction, --onward-… (from the first namespace) or --back-…:
  --back-loss-ppm=PARTS         chance of each segment to get lost, in parts per million
  --back-police-bytes=BUCKET    no queue: a token bucket, which drops what finds none
  --back-hold-us=LEAST-MOST     packets arrive in lumps, which are so far apart
)";
/// Above everything that is measured: a late link is another link than the one asked for.
constexpr int link_priority = 20;
constexpr std::size_t fixed_words = 7;

struct Shape {
  LinkSettings onward, back;
  std::uint64_t then_bps = 0;  // 0: the rate stays
};

std::unexpected<Error> refused(std::string words) {
  return make_error(Error::Kind::config, std::move(words));
}

Result<std::uint64_t> parse(std::string_view word) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || value > 1'000'000'000) {
    return refused(fmt::format("{}: not a number", word));
  }
  return value;
}

Result<void> set_hold(LinkSettings& settings, std::string_view range) {
  const std::size_t dash = range.find('-');
  const auto least = parse(range.substr(0, dash));
  const auto most = parse(dash == std::string_view::npos ? "" : range.substr(dash + 1));
  if (!least || !most || *least == 0 || *most < *least) {
    return refused(fmt::format("{}: not LEAST-MOST", range));
  }
  settings.least_hold = std::chrono::microseconds{*least};
  settings.most_hold = std::chrono::microseconds{*most};
  return {};
}

/// `word` without the direction: `loss-ppm=1000`.
Result<void> set_option(LinkSettings& settings, std::string_view word) {
  const std::size_t sign = word.find('=');
  const std::string_view name = word.substr(0, sign);
  const std::string_view value = sign == std::string_view::npos ? "" : word.substr(sign + 1);
  if (name == "hold-us") return set_hold(settings, value);
  const auto number = parse(value);
  if (!number) return std::unexpected(number.error());
  if (name == "loss-ppm") {
    settings.loss = static_cast<double>(*number) / 1e6;
  } else if (name == "police-bytes") {
    settings.polices = true;
    settings.queue_bytes = static_cast<std::size_t>(*number);
  } else {
    return refused(fmt::format("{}: no such option", name));
  }
  return {};
}

Result<void> set_option(Shape& shape, std::string_view word) {
  constexpr std::string_view then = "--then-mbps=", onward = "--onward-", back = "--back-";
  if (word.starts_with(onward)) return set_option(shape.onward, word.substr(onward.size()));
  if (word.starts_with(back)) return set_option(shape.back, word.substr(back.size()));
  if (!word.starts_with(then)) return refused(fmt::format("{}: no such option", word));
  const auto rate_mbps = parse(word.substr(then.size()));
  if (!rate_mbps || *rate_mbps == 0) return refused("--then-mbps: a rate");
  shape.then_bps = *rate_mbps * 1'000'000;
  shape.onward.most_rate_bps = shape.back.most_rate_bps = shape.then_bps;
  return {};
}

Result<Shape> shape_of(const std::vector<std::string>& words) {
  const auto rate_mbps = parse(words[4]);
  const auto rtt_us = parse(words[5]);
  const auto queue_ms = parse(words[6]);
  if (!rate_mbps || !rtt_us || !queue_ms) return refused("RATE_MBPS, RTT_US, QUEUE_MS: numbers");
  LinkSettings settings{.delay = std::chrono::microseconds{*rtt_us / 2},
                        .rate_bps = *rate_mbps * 1'000'000};
  settings.queue_bytes = static_cast<std::size_t>(*rate_mbps * *queue_ms * 1000 / 8);
  Shape shape{settings, settings};
  shape.back.seed = settings.seed + 1;
  for (std::size_t at = fixed_words; at < words.size(); ++at) {
    if (auto applied = set_option(shape, words[at]); !applied)
      return std::unexpected(applied.error());
  }
  return shape;
}

/// The calling thread is in that namespace from then on.
Result<TunDevice> device_in(const std::string& name, const std::string& device) {
  const std::string path = "/run/netns/" + name;
  const UniqueFd space{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!space || setns(space.get(), CLONE_NEWNET) != 0) return system_error("enter " + path);
  return open_tun(device, {});
}

/// From one device to the other, on a thread of its own.
class Direction {
 public:
  Direction(UniqueFd source, UniqueFd target, std::size_t vnet_bytes, const LinkSettings& settings,
            const Clock& clock)
      : source_(std::move(source), vnet_bytes),
        target_(std::move(target), vnet_bytes),
        delayed_(source_, settings, clock),
        forwarder_(delayed_, target_) {}

  /// Where real-time priority is refused (a container), at an ordinary one.
  Result<void> start(const std::string& name, const Clock& clock) {
    if (start_with_priority(name, clock, link_priority)) return {};
    return start_with_priority(name, clock, 0);
  }

  std::uint64_t dropped() const noexcept { return delayed_.counters().queue_dropped.value(); }
  void set_rate(std::uint64_t rate_bps) noexcept { delayed_.set_rate(rate_bps); }

 private:
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

/// Until a signal tells it to end.
void serve(const sigset_t& signals, const Shape& shape, Direction& onward, Direction& back) {
  for (int number = 0; sigwait(&signals, &number) == 0;) {
    if (number == SIGUSR1) {
      fmt::print("dropped {}\n", onward.dropped() + back.dropped());
      std::fflush(stdout);
    } else if (number == SIGUSR2) {
      if (shape.then_bps == 0) continue;
      onward.set_rate(shape.then_bps);
      back.set_rate(shape.then_bps);
    } else {
      return;
    }
  }
}

Result<void> run(const std::vector<std::string>& words) {
  const auto shape = shape_of(words);
  if (!shape) return std::unexpected(shape.error());
  // Before any thread, so that the signal waits for us and not for one of them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGUSR2}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto near = device_in(words[0], words[1]);
  if (!near) return std::unexpected(near.error());
  auto far = device_in(words[2], words[3]);
  if (!far) return std::unexpected(far.error());
  UniqueFd near_again = duplicate(near->queues.front());
  UniqueFd far_again = duplicate(far->queues.front());
  if (!near_again || !far_again) return system_error("duplicate a TUN descriptor");

  const SystemClock clock;
  const std::size_t vnet_bytes = near->vnet_bytes;  // both were asked for the same
  Direction onward{std::move(near->queues.front()), std::move(far->queues.front()), vnet_bytes,
                   shape->onward, clock};
  Direction back{std::move(far_again), std::move(near_again), vnet_bytes, shape->back, clock};
  if (auto started = onward.start("link-onward", clock); !started) return started;
  if (auto started = back.start("link-back", clock); !started) return started;
  std::puts("ready");
  std::fflush(stdout);
  serve(signals, *shape, onward, back);
  return {};
}

}  // namespace
}  // namespace tw

int main(int argc, char** argv) {
  const std::vector<std::string> words{argv + 1, argv + argc};
  if (words.size() < tw::fixed_words) {
    std::fputs(tw::usage, stderr);
    return 2;
  }
  if (const auto done = tw::run(words); !done) {
    fmt::print(stderr, "bench_link: {}\n", done.error().text());
    return 1;
  }
  return 0;
}
