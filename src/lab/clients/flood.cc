#include "lab/clients/flood.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/random.h"
#include "crypto/primitives.h"
#include "lab/clients/keys.h"
#include "lab/clients/send_schedule.h"
#include "wg/cookie.h"
#include "wire/be.h"
#include "wire/ip/transport.h"
#include "wire/message/wg_message.h"
#include "wire/sockaddr.h"

namespace tw::lab {
namespace {

constexpr std::size_t per_call = 64;
constexpr Duration turn = 500us;
constexpr Duration backlog = 50ms;
constexpr std::size_t data_size = 128;  // of a datagram with a random receiver index
constexpr std::size_t mac1_at = 116;
constexpr std::uint16_t first_port = 1024;

}  // namespace

FloodWriter::FloodWriter(FloodKind kind, const crypto::PublicKey& target_key, std::uint64_t seed)
    : size_(kind == FloodKind::random_index ? data_size : wg_initiation_size) {
  static_assert(flood_datagram_size == wg_initiation_size);
  SeededRandom random{seed};
  datagrams_.resize(variants * size_);
  for (std::uint8_t& byte : datagrams_) byte = static_cast<std::uint8_t>(random.next());
  const WgType type = kind == FloodKind::random_index ? WgType::data : WgType::initiation;
  const wg::MacKeys keys = wg::MacKeys::of(target_key);
  for (std::size_t at = 0; at < variants; ++at) {
    const ByteSpan datagram = ByteSpan{datagrams_}.subspan(at * size_, size_);
    store_le32(datagram, 0, std::to_underlying(type));
    if (kind == FloodKind::random_index) store_le64(datagram, 8, random.next() >> 32U);
    if (kind != FloodKind::spoofed) continue;
    const wg::Mac mac1 = crypto::blake2s_mac(keys.mac1, datagram.first(mac1_at));
    std::copy(mac1.begin(), mac1.end(), datagram.begin() + mac1_at);
    std::fill(datagram.begin() + mac1_at + sizeof mac1, datagram.end(), std::uint8_t{0});
  }
}

ByteView FloodWriter::datagram(std::uint64_t number) noexcept {
  return ByteView{datagrams_}.subspan(number % variants * size_, size_);
}

void write_spoofed_headers(ByteSpan out, const Endpoint& source, const Endpoint& target,
                           std::size_t payload) noexcept {
  std::fill_n(out.begin(), spoofed_header_size, std::uint8_t{0});
  out[0] = 0x45;
  store_be16(out, 2, static_cast<std::uint16_t>(spoofed_header_size + payload));
  out[8] = 64;
  out[9] = protocol_udp;
  std::memcpy(out.data() + 12, source.address.bytes().data(), 4);
  std::memcpy(out.data() + 16, target.address.bytes().data(), 4);
  store_be16(out, 20, source.port);
  store_be16(out, 22, target.port);
  store_be16(out, 24, static_cast<std::uint16_t>(udp_header_size + payload));
}

Result<std::unique_ptr<Flood>> Flood::open(const ClientsOptions& options, const Clock& clock) {
  std::unique_ptr<Flood> flood{new Flood(options, clock)};
  if (Result<void> opened = flood->open_socket(); !opened) return std::unexpected(opened.error());
  return flood;
}

Flood::Flood(const ClientsOptions& options, const Clock& clock)
    : clock_(clock),
      options_(options),
      writer_(options.flood, target_public_key(options), options.seed) {}

Flood::~Flood() { stop(); }

Result<void> Flood::open_socket() {
  const bool raw = options_.flood == FloodKind::spoofed;
  const int domain = options_.target.address.is_v4() ? AF_INET : AF_INET6;
  socket_.reset(::socket(domain, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC,
                         raw ? IPPROTO_RAW : 0));  // IPPROTO_RAW: we write the IP header
  if (!socket_ && raw && errno == EPERM) {
    return make_error(Error::Kind::unavailable, "--flood spoofed needs root (CAP_NET_RAW)");
  }
  if (!socket_) return system_error("flood: socket");
  return {};
}

void Flood::start() {
  thread_ = std::thread{[this] { run(); }};
}

void Flood::stop() noexcept {
  stopping_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void Flood::run() noexcept {
  sharpen_timers();
  const Instant begin = clock_.now();
  SendSchedule schedule{begin, options_.flood_pps > 0 ? 1e9 / options_.flood_pps : 0, backlog};
  while (!stopping_.load(std::memory_order_relaxed)) {
    const SendSchedule::Due due = schedule.take(clock_.now(), per_call);
    if (due.count > 0) {
      send(due.first, due.count);
      continue;
    }
    const timespec pause{.tv_sec = 0, .tv_nsec = Duration{turn}.count()};
    ::ppoll(nullptr, 0, &pause, nullptr);
  }
  time_ = clock_.now() - begin;
  cpu_ = thread_cpu();
}

void Flood::send(std::uint64_t first, std::size_t count) noexcept {
  const bool raw = options_.flood == FloodKind::spoofed;
  const SocketAddress target = to_sockaddr(options_.target);
  const std::uint32_t network = raw ? load_be32(options_.spoof_from.address.bytes(), 0) : 0;
  const std::uint64_t addresses = std::uint64_t{1}
                                  << (32U - (raw ? options_.spoof_from.length : 32U));
  std::array<std::array<std::uint8_t, spoofed_header_size>, per_call> headers;
  std::array<std::array<iovec, 2>, per_call> parts;
  std::array<mmsghdr, per_call> messages{};
  SeededRandom random{first ^ options_.seed};
  for (std::size_t i = 0; i < count; ++i) {
    const ByteView datagram = writer_.datagram(first + i);
    parts[i][0] = {headers[i].data(), headers[i].size()};
    parts[i][1] = {const_cast<std::uint8_t*>(datagram.data()), datagram.size()};
    if (raw) {
      std::array<std::uint8_t, 4> octets;
      store_be32(octets, 0, network + static_cast<std::uint32_t>(random.next() % addresses));
      const auto port = static_cast<std::uint16_t>(first_port + random.next() % 60'000);
      write_spoofed_headers(headers[i], {IpAddress::v4(octets), port}, options_.target,
                            datagram.size());
    }
    msghdr& message = messages[i].msg_hdr;
    message.msg_name = const_cast<sockaddr*>(target.get());
    message.msg_namelen = target.length;
    message.msg_iov = parts[i].data() + (raw ? 0 : 1);
    message.msg_iovlen = raw ? 2 : 1;
  }
  for (std::size_t done = 0; done < count;) {
    const int sent = ::sendmmsg(socket_.get(), messages.data() + done,
                                static_cast<unsigned>(count - done), MSG_DONTWAIT);
    if (sent > 0) {
      sent_.add(static_cast<std::uint64_t>(sent));
      done += static_cast<std::size_t>(sent);
    } else if (errno != EINTR) {
      refused_.add();  // an ICMP error, or no room: an attacker goes on
      ++done;
    }
  }
}

}  // namespace tw::lab
