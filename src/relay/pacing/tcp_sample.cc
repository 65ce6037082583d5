#include "relay/pacing/tcp_sample.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>

namespace tw::relay {

Result<TcpSample> read_tcp_sample(int socket) noexcept {
  tcp_info read{};
  socklen_t size = sizeof read;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &read, &size) != 0) {
    return system_error("read TCP_INFO");
  }
  const auto time = [](std::uint64_t us) {
    return Duration{std::chrono::microseconds{static_cast<std::int64_t>(us)}};
  };
  // The kernel's "never measured" is the largest number.
  const bool measured = read.tcpi_min_rtt != std::numeric_limits<std::uint32_t>::max();
  return TcpSample{.rtt = time(read.tcpi_rtt),
                   .min_rtt = measured ? time(read.tcpi_min_rtt) : Duration::zero(),
                   .window = read.tcpi_snd_cwnd,
                   .slow_start = read.tcpi_snd_cwnd < read.tcpi_snd_ssthresh,
                   .segment_bytes = read.tcpi_snd_mss,
                   .sent_bytes = read.tcpi_bytes_sent,
                   .delivered_bytes =
                       read.tcpi_bytes_acked + std::uint64_t{read.tcpi_sacked} * read.tcpi_snd_mss,
                   .retransmitted_bytes = read.tcpi_bytes_retrans,
                   .notsent_bytes = read.tcpi_notsent_bytes,
                   .reader_held = time(read.tcpi_rwnd_limited),
                   .delivery_bps = read.tcpi_delivery_rate * 8};
}

Result<void> set_pacing_rate(int socket, std::uint64_t bits_per_s) noexcept {
  const std::uint64_t bytes_per_s = bits_per_s == unpaced_bps ? bits_per_s : bits_per_s / 8;
  if (::setsockopt(socket, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_s, sizeof bytes_per_s) != 0) {
    return system_error("set a pacing rate");
  }
  return {};
}

}  // namespace tw::relay
