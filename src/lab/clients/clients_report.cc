#include "lab/clients/clients_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace tw::lab {
namespace {

constexpr double late_share_allowed = 0.01;

double seconds_of(Duration time) noexcept { return std::chrono::duration<double>(time).count(); }

double us_of(Duration time) noexcept {
  return std::chrono::duration<double, std::micro>(time).count();
}

double rate_of(std::uint64_t count, Duration time) noexcept {
  return time > Duration::zero() ? static_cast<double>(count) / seconds_of(time) : 0;
}

double share_of(std::uint64_t part, std::uint64_t whole) noexcept {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string rate_text(double bps) {
  if (bps >= 1e9) return fmt::format("{:.3f} Gbps", bps / 1e9);
  return fmt::format("{:.1f} Mbps", bps / 1e6);
}

std::string latency_text(const LatencySummary& summary) {
  return fmt::format("p50 {:.0f} µs, p99 {:.0f}, p99.9 {:.0f}, max {:.0f}", summary.p50_us,
                     summary.p99_us, summary.p999_us, summary.max_us);
}

std::string handshakes_text(const ClientsReport& report) {
  const HandshakeReport& handshakes = report.handshakes;
  if (report.options.peers == 0) return "";
  std::string text = fmt::format(
      "handshakes  {} of {} peers established; {} in {:.2f} s, {:.0f}/s; response {}\n"
      "            {} initiations, of them {} retries; cookies {}, refused {}, gave up {}\n",
      handshakes.established, report.options.peers, handshakes.completed,
      seconds_of(handshakes.time), handshakes.per_second(), latency_text(handshakes.response),
      handshakes.initiations, handshakes.retries, handshakes.cookies, handshakes.refused,
      handshakes.gave_up);
  if (handshakes.unsent > 0) {
    text += fmt::format("            our sockets refused {} messages\n", handshakes.unsent);
  }
  return text;
}

std::string load_text(const ClientsReport& report) {
  if (!report.load) return "";
  const LoadReport& load = *report.load;
  const double intended = report.options.rate_bps;
  std::string text = fmt::format(
      "load        intended {}, offered {}, delivered {} over {:.2f} s\n"
      "            {} packets sent, {} arrived, {} lost ({:.4f} %); reordered {}, repeated {}, "
      "corrupt {}\n"
      "            {} peers lost something, the worst {:.4f} %; handshakes meanwhile {}\n",
      intended > 0 ? rate_text(intended) : "all there is", rate_text(report.offered_bps()),
      rate_text(report.delivered_bps()), seconds_of(load.time), load.sent, load.received,
      load.lost(), 100 * load.loss(), load.reordered, load.repeated, load.corrupt,
      load.peers_with_loss(), 100 * load.worst_loss(), load.handshakes);
  text += fmt::format(
      "generator   schedule {}: {} packets late (the most by {:.0f} µs), {} never sent, {} refused "
      "by our sockets,\n"
      "            {} without a keypair; {} dropped at the sink's socket; {} foreign\n",
      report.kept_schedule() ? "kept" : "NOT KEPT", load.late, us_of(load.most_late), load.skipped,
      load.refused, load.no_keypair, load.sink_drops, load.foreign);
  return text;
}

}  // namespace

LatencySummary LatencySummary::of(const LatencyHistogram& histogram) noexcept {
  return {.count = histogram.count(),
          .p50_us = us_of(histogram.percentile(0.5)),
          .p99_us = us_of(histogram.percentile(0.99)),
          .p999_us = us_of(histogram.percentile(0.999)),
          .max_us = us_of(histogram.max())};
}

double HandshakeReport::per_second() const noexcept { return rate_of(completed, time); }

double LoadReport::loss() const noexcept { return share_of(lost(), sent); }

double LoadReport::worst_loss() const noexcept {
  double worst = 0;
  for (std::size_t peer = 0; peer < sent_by_peer.size(); ++peer) {
    const std::uint64_t came = std::min(arrivals_by_peer[peer].received, sent_by_peer[peer]);
    worst = std::max(worst, share_of(sent_by_peer[peer] - came, sent_by_peer[peer]));
  }
  return worst;
}

std::uint64_t LoadReport::peers_with_loss() const noexcept {
  std::uint64_t count = 0;
  for (std::size_t peer = 0; peer < sent_by_peer.size(); ++peer) {
    count += arrivals_by_peer[peer].received < sent_by_peer[peer] ? 1 : 0;
  }
  return count;
}

double ClientsReport::offered_bps() const noexcept {
  return load ? rate_of(load->sent, load->time) * 8 * options.size : 0;
}

double ClientsReport::delivered_bps() const noexcept {
  return load ? rate_of(load->received, load->time) * 8 * options.size : 0;
}

bool ClientsReport::kept_schedule() const noexcept {
  if (!load) return true;
  return load->skipped == 0 && load->refused == 0 &&
         share_of(load->late, load->sent) <= late_share_allowed;
}

std::string to_table(const ClientsReport& report) {
  std::string text = fmt::format(
      "target      {}, {} peers, packets of {} bytes, {} at a time{}{}\n",
      report.options.target.text(), report.options.peers, report.options.size, report.options.burst,
      report.options.interleave ? " of different peers" : " of one peer",
      report.options.sealed_ahead ? ", sealed ahead" : "");
  text += handshakes_text(report) + load_text(report);
  if (report.bystander) {
    const BystanderReport& bystander = *report.bystander;
    text += fmt::format(
        "bystander   {} sent, {} came back; round trip {}\n"
        "            of which sent late: {}\n",
        bystander.sent, bystander.received, latency_text(bystander.round_trip),
        latency_text(bystander.late));
  }
  if (report.flood) {
    text += fmt::format("flood       {}: {} datagrams, {:.0f}/s (asked for {:.0f}); {} refused\n",
                        flood_names[std::to_underlying(report.options.flood)], report.flood->sent,
                        rate_of(report.flood->sent, report.flood->time), report.options.flood_pps,
                        report.flood->refused);
  }
  std::string separator = "own CPU     ";
  for (const ThreadReport& thread : report.threads) {
    const double all = seconds_of(thread.time);
    text += fmt::format("{}{} {:.0f} % (user {:.2f} s, system {:.2f} s)", separator, thread.name,
                        all > 0 ? 100 * seconds_of(thread.cpu.total()) / all : 0,
                        seconds_of(thread.cpu.user), seconds_of(thread.cpu.system));
    separator = ", ";
  }
  if (!report.threads.empty()) text += "\n";
  if (report.interrupted) text += "interrupted: the figures are of the time until then\n";
  return text;
}

}  // namespace tw::lab
