#include "lab/probe/round_trip.h"

#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "base/time.h"
#include "wire/address.h"
#include "wire/sockaddr.h"

namespace tw::lab {
namespace {

constexpr Duration spacing = std::chrono::milliseconds{20};
constexpr Duration patience = std::chrono::seconds{2};  // after the last echo

/// When the kernel took a packet in. Waking up for it is our time and not the link's.
std::optional<WallTime> arrival(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec at{};
    std::memcpy(&at, CMSG_DATA(part), sizeof at);
    return WallTime{std::chrono::seconds{at.tv_sec} + std::chrono::nanoseconds{at.tv_nsec}};
  }
  return {};
}

/// The echoes to one target.
class Echoes {
 public:
  static Result<Echoes> open(const EchoTarget& target) {
    const auto address = IpAddress::parse(target.address);
    if (!address) return make_error(Error::Kind::config, "measure " + target.address);
    // An unprivileged ICMP socket takes care of identifiers and checksums, and gets no other's.
    auto done = target.from.set_sysctl("net/ipv4/ping_group_range", "0 0");
    Echoes echoes;
    if (done) {
      done = target.from.enter([&]() -> Result<void> {
        constexpr int type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
        echoes.socket_.reset(socket(AF_INET, type, IPPROTO_ICMP));
        const SocketAddress peer = to_sockaddr({.address = *address});
        const int on = 1;
        if (!echoes.socket_ || connect(echoes.fd(), peer.get(), peer.length) != 0 ||
            setsockopt(echoes.fd(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) {
          return system_error("open an ICMP socket to " + target.address);
        }
        return {};
      });
    }
    if (!done) return std::unexpected(done.error());
    return echoes;
  }

  int fd() const noexcept { return socket_.get(); }
  const std::vector<double>& round_trips_ms() const noexcept { return round_trips_ms_; }
  bool complete() const noexcept { return round_trips_ms_.size() == echo_count; }

  void send(std::uint16_t sequence, const Clock& clock) noexcept {
    icmphdr echo{};
    echo.type = ICMP_ECHO;
    echo.un.echo.sequence = htons(sequence);
    sent_[sequence] = clock.wall();
    // One that cannot be sent is one that is not answered.
    ::send(fd(), &echo, sizeof echo, 0);
  }

  void receive() {
    icmphdr echo{};
    alignas(cmsghdr) std::array<char, 64> control{};
    iovec bytes{.iov_base = &echo, .iov_len = sizeof echo};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(fd(), &message, 0) < static_cast<ssize_t>(sizeof echo)) return;
    const auto at = arrival(message);
    const std::uint16_t sequence = ntohs(echo.un.echo.sequence);
    if (echo.type != ICMP_ECHOREPLY || sequence >= echo_count || !at) return;
    const Duration taken = at->since_epoch - sent_[sequence].since_epoch;
    if (!complete()) {
      round_trips_ms_.push_back(std::chrono::duration<double, std::milli>(taken).count());
    }
  }

 private:
  UniqueFd socket_;
  std::array<WallTime, echo_count> sent_{};
  std::vector<double> round_trips_ms_;
};

/// Takes answers in until `end`, or until all are there.
Result<void> collect(std::vector<Echoes>& all, Instant end, const Clock& clock,
                     Interrupt& interrupt) {
  std::vector<pollfd> fds;
  fds.reserve(all.size() + 1);
  for (const Echoes& echoes : all) fds.push_back({echoes.fd(), POLLIN, 0});
  fds.push_back({interrupt.fd(), POLLIN, 0});
  while (!std::ranges::all_of(all, &Echoes::complete)) {
    const Duration left = end - clock.now();
    if (left <= Duration::zero()) return {};
    const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    poll(fds.data(), fds.size(), static_cast<int>(left_ms));
    if (interrupt.fired()) return interrupted();
    for (std::size_t index = 0; index < all.size(); ++index) {
      if (fds[index].revents != 0) all[index].receive();
    }
  }
  return {};
}

}  // namespace

Result<std::vector<std::vector<double>>> measure_round_trips(const std::vector<EchoTarget>& targets,
                                                             Interrupt& interrupt) {
  const SystemClock clock;
  std::vector<Echoes> all;
  for (const EchoTarget& target : targets) {
    auto echoes = Echoes::open(target);
    if (!echoes) return std::unexpected(echoes.error());
    all.push_back(std::move(*echoes));
  }
  for (std::uint16_t sequence = 0; sequence < echo_count; ++sequence) {
    const Instant next = clock.now() + spacing;
    for (Echoes& echoes : all) echoes.send(sequence, clock);
    if (auto done = collect(all, next, clock, interrupt); !done) {
      return std::unexpected(done.error());
    }
  }
  if (auto done = collect(all, clock.now() + patience, clock, interrupt); !done) {
    return std::unexpected(done.error());
  }
  std::vector<std::vector<double>> result;
  for (std::size_t index = 0; index < all.size(); ++index) {
    result.push_back(all[index].round_trips_ms());
    if (!result.back().empty()) continue;
    return make_error(Error::Kind::unavailable, targets[index].address + " does not answer echoes");
  }
  return result;
}

}  // namespace tw::lab
