#include "kernel_io.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/time.h"
#include "base/unique_fd.h"
#include "limit.h"
#include "wire/offload/vnet_header.h"

namespace tw::bench {
namespace {

constexpr std::size_t inner_size = 1420;
constexpr std::size_t wire_size = inner_size + 32;  // with WireGuard's header and tag
constexpr std::size_t train_packets = 45;           // as many as one send takes
constexpr int patience_ms = 10'000;                 // for the first datagram
constexpr int buffer_bytes = 4 << 20;
constexpr std::uint16_t headers_size = sizeof(iphdr) + sizeof(tcphdr);

std::string fail(const char* what) {
  std::perror(what);
  return "";
}

std::string result(std::uint64_t packets, double cpu_ns, std::uint64_t calls) {
  if (packets == 0) {
    std::fputs("bench_limits: no packet\n", stderr);
    return "";
  }
  return fmt::format(R"({{"packets": {}, "packets_per_call": {:.1f}, "ns_per_packet": {:.1f}}})",
                     packets, static_cast<double>(packets) / static_cast<double>(calls),
                     cpu_ns / static_cast<double>(packets));
}

Duration duration_of(const std::string& seconds) {
  return Duration{static_cast<Duration::rep>(std::strtod(seconds.c_str(), nullptr) * 1e9)};
}

sockaddr_in address_of(const std::string& address, const std::string& port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(static_cast<std::uint16_t>(std::strtoul(port.c_str(), nullptr, 10)));
  ::inet_pton(AF_INET, address.c_str(), &result.sin_addr);
  return result;
}

/// A TUN device that is up, in offload mode; its name is the kernel's choice.
UniqueFd open_tun() {
  UniqueFd tun{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  if (!tun || ::ioctl(tun.get(), TUNSETIFF, &request) != 0) return {};
  constexpr unsigned offloads = TUN_F_CSUM | TUN_F_TSO4;
  if (::ioctl(tun.get(), TUNSETOFFLOAD, offloads) != 0) return {};
  const UniqueFd control{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  request.ifr_flags = IFF_UP;
  if (!control || ::ioctl(control.get(), SIOCSIFFLAGS, &request) != 0) return {};
  return tun;
}

/// The headers before the payload in a write to the TUN: one TCP segment, or many in one packet.
struct TunHeader {
  /// The first fields of a VnetHeader.
  struct {
    std::uint8_t flags = 0, gso_type = VnetHeader::gso_none;
    std::uint16_t header_length = 0, gso_size = 0, csum_start = 0, csum_offset = 0;
  } device;
  iphdr ip{};
  tcphdr tcp{};
};

TunHeader tun_header(std::size_t payload, std::size_t segment) {
  TunHeader header;
  header.device.flags = VnetHeader::needs_csum;
  header.device.header_length = headers_size;
  header.device.csum_start = sizeof(iphdr);
  header.device.csum_offset = offsetof(tcphdr, check);
  if (payload > segment) {
    header.device.gso_type = VnetHeader::gso_tcp4;
    header.device.gso_size = static_cast<std::uint16_t>(segment);
  }
  header.ip.version = 4;
  header.ip.ihl = 5;
  header.ip.ttl = 64;
  header.ip.protocol = IPPROTO_TCP;
  header.ip.tot_len = htons(static_cast<std::uint16_t>(headers_size + payload));
  header.ip.saddr = htonl(0xc612'0001U);  // 198.18.0.0/15 is for benchmarks
  header.ip.daddr = htonl(0xc612'0002U);
  header.tcp.doff = 5;
  header.tcp.ack = 1;
  return header;
}

/// The size of a train's segments, as UDP_GRO says it; the datagram's own if it came alone.
std::size_t segment_size(msghdr& message, std::size_t received) {
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level != SOL_UDP || one->cmsg_type != UDP_GRO) continue;
    int size = 0;
    std::memcpy(&size, CMSG_DATA(one), sizeof size);
    if (size > 0) return static_cast<std::size_t>(size);
  }
  return received;
}

class Receiver {
 public:
  Receiver(int socket, int tun) : socket_(socket), tun_(tun), bytes_(65'536) {}

  /// One train, from socket to device. False if either has failed.
  bool step() {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    iovec whole{bytes_.data(), bytes_.size()};
    msghdr message{};
    message.msg_iov = &whole;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t received = ::recvmsg(socket_, &message, 0);
    if (received <= 0) return received == 0 || errno == EAGAIN;
    const auto size = static_cast<std::size_t>(received);
    const std::size_t segment = segment_size(message, size);
    const std::size_t count = (size + segment - 1) / segment;
    packets_ += count;
    ++calls_;
    // As much as the packets would carry without their headers and tags.
    const std::size_t own = wire_size - inner_size + headers_size;
    if (segment <= own) return true;
    const std::size_t payload = count * (segment - own);
    TunHeader header = tun_header(payload, segment - own);
    std::array<iovec, 4> parts{{{&header.device, sizeof header.device},
                                {&header.ip, sizeof header.ip},
                                {&header.tcp, sizeof header.tcp},
                                {bytes_.data(), payload}}};
    return ::writev(tun_, parts.data(), parts.size()) > 0;
  }

  std::uint64_t packets() const noexcept { return packets_; }
  std::uint64_t calls() const noexcept { return calls_; }

 private:
  int socket_;
  int tun_;
  std::vector<std::uint8_t> bytes_;
  std::uint64_t packets_ = 0;
  std::uint64_t calls_ = 0;
};

}  // namespace

std::string send_trains(const std::string& address, const std::string& port,
                        const std::string& seconds) {
  const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const sockaddr_in target = address_of(address, port);
  const int segment = wire_size;
  if (!socket || ::setsockopt(socket.get(), SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0) {
    return fail("UDP_SEGMENT");
  }
  const std::vector<std::uint8_t> train(train_packets * wire_size, std::uint8_t{4});
  const SystemClock clock;
  const Instant end = clock.now() + duration_of(seconds);
  const double begin_ns = thread_ns();
  std::uint64_t calls = 0;
  while (clock.now() < end) {
    if (::sendto(socket.get(), train.data(), train.size(), 0,
                 reinterpret_cast<const sockaddr*>(&target), sizeof target) < 0) {
      return fail("send");
    }
    ++calls;
  }
  return result(calls * train_packets, thread_ns() - begin_ns, calls);
}

std::string receive_into_tun(const std::string& port, const std::string& seconds) {
  const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const sockaddr_in own = address_of("0.0.0.0", port);
  const int on = 1;
  const timeval wait{0, 100'000};
  if (!socket || ::setsockopt(socket.get(), SOL_UDP, UDP_GRO, &on, sizeof on) != 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof on) != 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) {
    return fail("UDP socket");
  }
  const UniqueFd tun = open_tun();
  if (!tun) return fail("TUN device");
  std::fputs("ready\n", stderr);
  pollfd first{socket.get(), POLLIN, 0};
  if (::poll(&first, 1, patience_ms) != 1) return fail("waiting for the first datagram");

  Receiver receiver{socket.get(), tun.get()};
  const SystemClock clock;
  const Instant end = clock.now() + duration_of(seconds);
  const double begin_ns = thread_ns();
  while (clock.now() < end) {
    if (!receiver.step()) return fail("receive, or write to the TUN");
  }
  return result(receiver.packets(), thread_ns() - begin_ns, receiver.calls());
}

}  // namespace tw::bench
