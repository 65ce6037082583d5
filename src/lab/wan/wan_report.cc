#include "lab/wan/wan_report.h"

#include <set>

namespace tw::lab {
namespace {

constexpr double bytes_per_mb = 1e6, ns_per_ms = 1e6;
/// Payload of packets of 1,500 and 1,420 bytes, with timestamps among TCP's options.
constexpr std::uint32_t plain_segment = 1448, tunnel_segment = 1368;
/// Bytes that nginx writes before a file, within a few.
constexpr std::uint64_t header_bytes = 250;
/// Window of a forwarded port, in OpenSSH.
constexpr std::uint64_t ssh_window_bytes = 2U << 20U;

double ratio(double base, double value) { return value > 0 ? base / value : 0; }

WanRow row_of(const WanReport& report, std::uint64_t bytes, Configuration configuration) {
  std::vector<double> ttfb, total;
  TcpCounts middle;
  ProcessCost cost;
  std::optional<std::uint64_t> calls = 0;
  WanRow row{.bytes = bytes, .configuration = configuration, .sha256_ok = true};
  for (const WanDownload& download : report.downloads) {
    const bool ours = download.bytes == bytes && download.configuration == configuration;
    if (!ours || !download.counted) continue;
    if (!download.completed) {
      ++row.failed;
      continue;
    }
    ttfb.push_back(download.ttfb_ms);
    total.push_back(download.total_ms);
    row.sha256_ok = row.sha256_ok && download.sha256_ok;
    middle.sent += download.middle.sent;
    middle.retransmitted += download.middle.retransmitted;
    cost += download.cost;
    calls = calls && download.calls ? std::optional{*calls + *download.calls} : std::nullopt;
  }
  row.ttfb_ms = spread_of(ttfb);
  row.total_ms = spread_of(total);
  row.retransmitted = ratio(static_cast<double>(middle.retransmitted),
                            static_cast<double>(middle.sent + middle.retransmitted));
  if (traits_of(configuration).carrier != Carrier::kernel && !total.empty()) {
    const double mb = static_cast<double>(bytes * total.size()) / bytes_per_mb;
    row.cpu_ms_per_mb = static_cast<double>(cost.cpu_ns) / ns_per_ms / mb;
    row.switches_per_mb = static_cast<double>(cost.switches) / mb;
    if (calls) row.calls_per_mb = static_cast<double>(*calls) / mb;
  }
  return row;
}

}  // namespace

Spread spread_of(const std::vector<double>& values) {
  return {.summary = summarise(values),
          .p5 = percentile(values, 0.05),
          .p95 = percentile(values, 0.95),
          .median_interval = median_interval(values)};
}

ModelInput model_input(const WanReport& report, Configuration configuration, std::uint64_t bytes) {
  const Traits& traits = traits_of(configuration);
  const auto link = [&](std::size_t index) {
    const double rtt = index < report.links.size() ? report.links[index].rtt_ms.median : 0;
    return ModelLink{.rtt_ms = rtt, .rate_bps = static_cast<double>(report.rate_bps[index])};
  };
  const bool tunnelled = traits.carrier == Carrier::tunnel || traits.carrier == Carrier::relay;
  ModelInput input{.client = link(0),
                   .middle = link(1),
                   .server = link(2),
                   .way = traits.way,
                   .early_syn = traits.early_syn,
                   .warm_legs = traits.warm_legs,
                   .turbo = traits.turbo,
                   .fast_open = traits.fast_open,
                   .server_fast_open = traits.server_fast_open,
                   .bytes = bytes,
                   .header_bytes = header_bytes,
                   .segment_bytes = tunnelled ? tunnel_segment : plain_segment};
  if (report.server_nopush) {
    input.bytes += header_bytes;
    input.header_bytes = 0;
  }
  if (traits.carrier == Carrier::ssh) input.middle_window_bytes = ssh_window_bytes;
  return input;
}

std::vector<WanRow> rows_of(const WanReport& report) {
  std::set<std::uint64_t> sizes;
  for (const WanDownload& download : report.downloads) {
    if (download.counted) sizes.insert(download.bytes);
  }
  std::vector<WanRow> rows;
  for (const std::uint64_t bytes : sizes) {
    const WanRow base = row_of(report, bytes, Configuration::end_to_end);
    for (const Configuration configuration : all_configurations) {
      WanRow row = row_of(report, bytes, configuration);
      if (row.total_ms.summary.count + row.failed == 0) continue;
      row.ttfb_speedup = ratio(base.ttfb_ms.summary.median, row.ttfb_ms.summary.median);
      row.total_speedup = ratio(base.total_ms.summary.median, row.total_ms.summary.median);
      const ModelInput input = model_input(report, configuration, bytes);
      row.model = predict(input);
      row.ideal = ideal(input);
      rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace tw::lab
