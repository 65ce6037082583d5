#include "lab/clients/bystander.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "lab/clients/inner_socket.h"
#include "lab/clients/keys.h"
#include "wire/ip/ip_packet.h"
#include "wire/ip/transport.h"
#include "wire/message/wg_message.h"

namespace tw::lab {
namespace {

constexpr std::uint16_t source_port = 19'999;
constexpr std::size_t payload_size = Bystander::packet_size - PacketWriter::header_bytes;
constexpr std::uint32_t padded_size = (Bystander::packet_size + 15) / 16 * 16;
constexpr std::size_t echo_buffer = std::size_t{1} << 20U;
constexpr Duration longest_wait = 20ms;  // then the sessions' timers are looked at, and stop()

Endpoint echo_endpoint(const ClientsOptions& options) noexcept {
  Endpoint at = *options.sink;
  ++at.port;  // check() has seen that there is one
  return at;
}

}  // namespace

Result<std::unique_ptr<Bystander>> Bystander::open(const ClientsOptions& options, std::uint64_t run,
                                                   const Clock& clock) {
  std::unique_ptr<Bystander> bystander{new Bystander(options, run, clock)};
  auto session = SessionArray::open(
      {.target = options.target,
       .target_key = target_public_key(options),
       .seed = options.seed,
       .first_client = options.peers},
      clock,
      [self = bystander.get()](std::uint32_t, ByteView packet) { self->take_reply(packet); });
  if (!session) return in_context("bystander", session.error());
  bystander->session_ = std::move(*session);
  auto echo = open_inner_socket(options.sink_netns, echo_endpoint(options), echo_buffer);
  if (!echo) return in_context("bystander", echo.error());
  bystander->echo_ = std::move(echo->fd);
  return bystander;
}

Bystander::Bystander(const ClientsOptions& options, std::uint64_t run, const Clock& clock)
    : clock_(clock),
      interval_(options.bystander_interval),
      source_{client_address(options.addresses, options.peers), source_port},
      pattern_(run, payload_size),
      writer_(pattern_, echo_endpoint(options)),
      engine_(crypto::make_openssl_engine()) {}

Bystander::~Bystander() { stop(); }

void Bystander::start(Instant begin, Instant measure) {
  begin_ = begin;
  measure_ = measure;
  thread_ = std::thread{[this] { run(); }};
}

void Bystander::stop() noexcept {
  finish();
  stopping_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void Bystander::run() noexcept {
  raise_priority();
  sharpen_timers();
  std::array<pollfd, 2> sources{{{session_->wait_fd(), POLLIN, 0}, {echo_.get(), POLLIN, 0}}};
  while (!stopping_.load(std::memory_order_relaxed)) {
    const Instant now = clock_.now();
    if (!finishing_.load(std::memory_order_relaxed)) send_due(now);
    const Instant due = begin_ + static_cast<Duration::rep>(next_) * interval_;
    const Duration wait = std::clamp(due - clock_.now(), Duration::zero(), longest_wait);
    const timespec limit = to_timespec(wait);
    ::ppoll(sources.data(), sources.size(), &limit, nullptr);
    if (sources[1].revents != 0) echo();
    session_->turn(clock_.now());
    session_->begin_handshakes(1, 1);
  }
  cpu_ = thread_cpu();
}

// Packets that became due while we were away all leave now: their latencies say so.
void Bystander::send_due(Instant now) noexcept {
  for (;;) {
    const Instant due = begin_ + static_cast<Duration::rep>(next_) * interval_;
    if (due > now) return;
    send_one(due, now);
    ++next_;
  }
}

void Bystander::send_one(Instant due, Instant now) noexcept {
  const bool measured = due >= measure_;
  if (measured) ++sent_;  // without a keypair it is lost like any other
  const auto slot = session_->next_seal(0, now);
  if (!slot) return;
  std::array<std::uint8_t, wg_data_header_size + padded_size + wg_tag_size> datagram{};
  const std::span<std::uint8_t, datagram.size()> bytes{datagram};
  write_wg_data_header(bytes.first<wg_data_header_size>(), slot->keypair->keys.remote_index,
                       slot->counter);
  writer_.write(
      bytes.subspan<wg_data_header_size>(), source_,
      {.peer = 0, .measured = measured, .sequence = next_, .due_ns = due.since_origin().count()});
  std::array<crypto::AeadJob, 1> job{{{&slot->keypair->keys.send_key, slot->counter,
                                       datagram.data() + wg_data_header_size, padded_size, false}}};
  engine_->submit_seal(job);
  engine_->complete();
  session_->sent(0, now);
  Train train;
  train.bytes = datagram.data();
  train.length = train.segment_size = static_cast<std::uint32_t>(datagram.size());
  train.destination = session_->target();
  session_->port(0).send({&train, 1});
  if (measured) lateness_.record(clock_.now() - due);
}

// The inner host: what comes goes back to where it came from.
void Bystander::echo() noexcept {
  for (;;) {
    std::array<std::uint8_t, 2048> bytes;
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    auto* const address = reinterpret_cast<sockaddr*>(&from);
    const ssize_t size =
        ::recvfrom(echo_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT, address, &length);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;
    ::sendto(echo_.get(), bytes.data(), static_cast<std::size_t>(size), MSG_DONTWAIT, address,
             length);
  }
}

void Bystander::take_reply(ByteView packet) noexcept {
  const auto ip = IpPacketView::of(packet);
  const auto udp = ip ? UdpView::of(packet, *ip) : std::nullopt;
  Stamp stamp;
  if (!udp || pattern_.read(udp->payload, stamp) != Reading::intact) return;
  if (!replies_.accept(stamp.sequence) || !stamp.measured) return;
  round_trips_.record(clock_.now() - Instant{Duration{stamp.due_ns}});
}

}  // namespace tw::lab
