#include "lab/clients/sink.h"

#include <chrono>
#include <utility>

#include "lab/clients/inner_socket.h"

namespace tw::lab {
namespace {

/// A burst must find room while the thread waits for a core: 50 ms at 10 Gbps.
constexpr std::size_t socket_buffer = std::size_t{64} << 20U;
constexpr std::size_t batch_trains = 32;
constexpr std::size_t train_bytes = 65'535;
/// It only counts, so nothing waits for it. Woken by what comes, it would be so for every lone
/// packet, which costs it more than the packet, and the target too: who wakes a thread on another
/// core pays as much again.
constexpr std::chrono::microseconds nap{1000};

}  // namespace

Result<std::unique_ptr<Sink>> Sink::start(const ClientsOptions& options, const Pattern& pattern) {
  Result<UdpSocket> socket = open_inner_socket(options.sink_netns, *options.sink, socket_buffer);
  if (!socket) return std::unexpected(socket.error());
  std::unique_ptr<Sink> sink{new Sink(std::move(socket->fd), pattern, options.peers)};
  sink->thread_ = std::thread{[sink = sink.get()] { sink->run(); }};
  return sink;
}

Sink::Sink(UniqueFd fd, const Pattern& pattern, std::uint32_t peers)
    : port_(std::move(fd)), pattern_(pattern), arrivals_(peers) {}

Sink::~Sink() { stop(); }

void Sink::stop() noexcept {
  stopping_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void Sink::run() noexcept {
  PacketBatch batch{batch_trains, train_bytes};
  for (;;) {
    if (drain(batch)) continue;
    if (stopping_.load(std::memory_order_relaxed)) break;
    std::this_thread::sleep_for(nap);
  }
  cpu_ = thread_cpu();
}

bool Sink::drain(PacketBatch& batch) noexcept {
  const bool any = port_.poll(batch) > 0;
  for (const Train& train : batch.trains()) {
    for (std::size_t i = 0; i < train.segments(); ++i) {
      Stamp stamp;
      const Reading reading = pattern_.read(train.segment(i), stamp);
      arrivals_.note(reading, stamp);
    }
  }
  batch.clear();
  return any;
}

}  // namespace tw::lab
