// When single bytes of payload come to a host and leave it, by the kernel's own time stamps at its
// two devices: what is between is the forwarding itself, without the ends and how they are woken.
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <vector>

#include "base/latency_histogram.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "exchange.h"
#include "load.h"
#include "percentiles.h"

namespace tw::bench {
namespace {

constexpr int room_bytes = 64 << 20;  // for what comes until the end, when it is read
constexpr std::size_t warmup = 20;    // bytes each way that do not count

struct Stamp {
  Duration at;  // since the epoch
  char byte;
};

/// Single bytes that one device has seen, in their order.
struct Seen {
  std::vector<Stamp> came_to_port, left_to_port, came_from_port, left_from_port;
};

std::string fail(const char* what) {
  std::perror(what);
  return "";
}

/// Takes copies of the TCP segments of a port, with time stamps; without a wake-up, for nobody
/// waits.
UniqueFd open_tap(const std::string& device, std::uint16_t port) {
  // From the IP header on, which has no options here: 20 and 22 are TCP's ports.
  std::array<sock_filter, 6> code{{{BPF_LD | BPF_H | BPF_ABS, 0, 0, 20},
                                   {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, port},
                                   {BPF_LD | BPF_H | BPF_ABS, 0, 0, 22},
                                   {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, port},
                                   {BPF_RET | BPF_K, 0, 0, 128},
                                   {BPF_RET | BPF_K, 0, 0, 0}}};
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);  // a single protocol's socket is not shown what leaves
  address.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
  if (address.sll_ifindex == 0) return {};
  UniqueFd tap{::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const int on = 1;
  if (!tap ||
      ::setsockopt(tap.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0 ||
      ::setsockopt(tap.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room_bytes, sizeof room_bytes) != 0 ||
      ::setsockopt(tap.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0 ||
      ::bind(tap.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return {};
  }
  return tap;
}

std::optional<Duration> stamp_of(const msghdr& message) {
  for (const cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr;
       at = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(at))) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec time{};
    std::memcpy(&time, CMSG_DATA(at), sizeof time);
    return std::chrono::seconds{time.tv_sec} + Duration{time.tv_nsec};
  }
  return {};
}

/// A packet's payload if it is one byte, and TCP's header.
std::optional<char> only_byte(const std::array<char, 256>& packet, std::size_t size, tcphdr& tcp) {
  iphdr ip{};
  std::memcpy(&ip, packet.data(), sizeof ip);
  const std::size_t tcp_at = std::size_t{ip.ihl} * 4;
  if (ip.version != 4 || ip.protocol != IPPROTO_TCP || tcp_at + sizeof tcp > size) return {};
  std::memcpy(&tcp, packet.data() + tcp_at, sizeof tcp);
  const std::size_t payload_at = tcp_at + std::size_t{tcp.doff} * 4;
  if (ntohs(ip.tot_len) != payload_at + 1 || payload_at >= size) return {};
  return packet[payload_at];
}

/// False if something is not as it must be; errno says what.
bool drain(const UniqueFd& tap, std::uint16_t port, Seen& seen) {
  while (true) {
    std::array<char, 256> packet{};
    alignas(cmsghdr) std::array<char, 256> control{};
    sockaddr_ll from{};
    iovec place{packet.data(), packet.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &place;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(tap.get(), &message, 0);
    if (size < 0) return errno == EAGAIN;
    tcphdr tcp{};
    const auto byte = only_byte(packet, static_cast<std::size_t>(size), tcp);
    if (!byte) continue;
    const auto at = stamp_of(message);
    errno = ENODATA;
    if (!at) return false;
    const bool left = from.sll_pkttype == PACKET_OUTGOING;
    const bool to_port = ntohs(tcp.dest) == port;
    auto& list = to_port ? (left ? seen.left_to_port : seen.came_to_port)
                         : (left ? seen.left_from_port : seen.came_from_port);
    list.push_back({*at, *byte});
  }
}

/// Each that came and the first one after it that left, if that is the same byte and was gone
/// before the next came. What was sent again has no pair, and does not count.
void pair_up(const std::vector<Stamp>& came, const std::vector<Stamp>& left,
             LatencyHistogram& took) {
  std::size_t next = 0;
  for (std::size_t at = 0; at < came.size(); ++at) {
    while (next < left.size() && left[next].at < came[at].at) ++next;
    if (next == left.size()) return;
    const bool is_overtaken = at + 1 < came.size() && came[at + 1].at <= left[next].at;
    if (is_overtaken || left[next].byte != came[at].byte || at < warmup) continue;
    took.record(left[next].at - came[at].at);
  }
}

}  // namespace

std::string stamp_bytes(const std::string& front, const std::string& back,
                        const std::string& port) {
  const auto number = parse_count(port, UINT16_MAX);
  errno = EINVAL;
  if (!number) return fail("stamps");
  const auto of_server = static_cast<std::uint16_t>(*number);
  const UniqueFd front_tap = open_tap(front, of_server), back_tap = open_tap(back, of_server);
  if (!front_tap || !back_tap) return fail("tap");
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::fputs("ready\n", stderr);
  ::sigwaitinfo(&set, nullptr);
  Seen at_front, at_back;
  if (!drain(front_tap, of_server, at_front) || !drain(back_tap, of_server, at_back)) {
    return fail("read what was seen");
  }
  LatencyHistogram took;
  pair_up(at_front.came_to_port, at_back.left_to_port, took);
  pair_up(at_back.came_from_port, at_front.left_from_port, took);
  return fmt::format(R"({{"forwarded": {}, "forwarding_us": {}}})", took.count(),
                     percentiles(took));
}

}  // namespace tw::bench
