#include "port/kernel/syn_watch.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

#include "bpf/abi.h"

namespace tw {

std::span<const unsigned char> syn_watch_object() noexcept;  // made by cmake/bpf.cmake

namespace {

// BPF_TCX_INGRESS of Linux 6.6: the headers this builds with may be older.
constexpr int tcx_ingress = 46;
constexpr std::uint64_t ns_per_second = 1'000'000'000;
constexpr std::array map_names{"syn_counts", "syn_known", "syn_ring", "syn_control", "syn_buckets"};

tw_syn_rate rate_of(std::uint32_t rate, std::uint32_t burst) noexcept {
  const std::uint64_t interval = ns_per_second / rate;
  return {.interval_ns = interval, .depth_ns = interval * burst};
}

void store(tw_syn_rate& into, const tw_syn_rate& rate) noexcept {
  std::atomic_ref{into.interval_ns}.store(rate.interval_ns, std::memory_order_relaxed);
  std::atomic_ref{into.depth_ns}.store(rate.depth_ns, std::memory_order_relaxed);
}

bool can_be_client(const IpAddress& address) noexcept {
  return !address.unmapped().is_unspecified() && !address.is_loopback() &&
         !address.is_link_local() && !address.is_multicast();
}

}  // namespace

std::optional<SynReport> report_of(const tw_syn_record& record) noexcept {
  if (record.version != 4 && record.version != 6) return std::nullopt;
  const std::size_t size = record.version == 4 ? 4 : 16;
  const auto client = IpAddress::from_bytes(ByteView{record.client, size});
  const auto target = IpAddress::from_bytes(ByteView{record.target, size});
  if (record.client_port_be == 0 || !can_be_client(client)) return std::nullopt;
  return SynReport{.client = {client, ntohs(record.client_port_be), 0},
                   .target = {target, ntohs(record.target_port_be), 0},
                   .sequence = ntohl(record.sequence_be),
                   .payload_bytes = record.payload_bytes,
                   .proven = record.known != 0};
}

Result<SynWatch> SynWatch::load(const SynWatchBudget& budget) {
  const Result<BpfObject> object =
      BpfObject::load(syn_watch_object(), "the eBPF program that watches for SYNs");
  if (!object) return std::unexpected(object.error());
  Result<UniqueFd> program = object->program("syn_watch");
  if (!program) return std::unexpected(program.error());
  std::array<UniqueFd, 5> maps;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    Result<UniqueFd> map = object->map(map_names[i]);
    if (!map) return std::unexpected(map.error());
    maps[i] = std::move(*map);
  }
  auto& [counts, known, ring_fd, control_fd, buckets_fd] = maps;
  constexpr auto write = SharedMemory::Access::write;
  Result<SharedMemory> control = SharedMemory::map(control_fd.get(), sizeof(tw_syn_control), write);
  if (!control) return std::unexpected(control.error());
  Result<SharedMemory> buckets =
      SharedMemory::map(buckets_fd.get(), tw_syn_groups * sizeof(tw_syn_bucket), write);
  if (!buckets) return std::unexpected(buckets.error());
  Result<KernelRing> ring = KernelRing::open(ring_fd.get(), tw_syn_ring_bytes);
  if (!ring) return std::unexpected(ring.error());
  SynWatch watch{Parts{.program = std::move(*program),
                       .counts = std::move(counts),
                       .known = std::move(known),
                       .ring_fd = std::move(ring_fd),
                       .control = std::move(*control),
                       .buckets = std::move(*buckets),
                       .ring = std::move(*ring)}};
  watch.set_budget(budget);
  return watch;
}

Result<void> SynWatch::attach(int device_index) {
  // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange)
  constexpr auto where = static_cast<bpf_attach_type>(tcx_ingress);
  UniqueFd link{::bpf_link_create(parts_.program.get(), device_index, where, nullptr)};
  if (!link) return system_error("attach to tc ingress (tcx, Linux 6.6)");
  link_ = std::move(link);
  return {};
}

tw_syn_control& SynWatch::control() const noexcept {
  return *static_cast<tw_syn_control*>(parts_.control.get());
}

void SynWatch::set_budget(const SynWatchBudget& budget) noexcept {
  store(control().by_source, rate_of(budget.source_rate, budget.source_burst));
  const std::span buckets{static_cast<tw_syn_bucket*>(parts_.buckets.get()), tw_syn_groups};
  store(buckets[tw_syn_known].rate, rate_of(budget.known_rate, budget.known_burst));
  store(buckets[tw_syn_strangers].rate, rate_of(budget.strangers_rate, budget.strangers_burst));
}

// Its bucket begins full; one that is there already stays as it is.
void SynWatch::remember(const IpAddress& client) noexcept {
  const IpAddress address = client.unmapped();
  const std::size_t hash = std::hash<IpAddress>{}(address);
  if (++remembered_ % remembered_for == 0) told_.clear();
  if (told_.has(hash)) return;
  told_.remember(hash);
  tw_syn_source source = 0;
  std::memcpy(&source, address.bytes().data(), std::min(sizeof source, address.bytes().size()));
  const std::uint64_t full_at = 0;
  static_cast<void>(::bpf_map_update_elem(parts_.known.get(), &source, &full_at, BPF_NOEXIST));
}

Result<SynWatchCounters> SynWatch::counters() const {
  const int cpus = ::libbpf_num_possible_cpus();
  if (cpus <= 0) return system_error(-cpus, "count the CPUs");
  std::vector<std::uint64_t> by_cpu(static_cast<std::size_t>(cpus));
  std::array<std::uint64_t, tw_syn_counts> sums{};
  for (std::uint32_t what = 0; what < sums.size(); ++what) {
    if (::bpf_map_lookup_elem(parts_.counts.get(), &what, by_cpu.data()) != 0) {
      return system_error("read the counters of a program that watches for SYNs");
    }
    sums[what] = std::reduce(by_cpu.begin(), by_cpu.end());
  }
  return SynWatchCounters{.seen = sums[tw_syn_seen],
                          .reported = sums[tw_syn_reported],
                          .over_source_budget = sums[tw_syn_over_source],
                          .over_total_budget = sums[tw_syn_over_total],
                          .ring_full = sums[tw_syn_ring_full]};
}

bool SynWatch::pop(SynReport& syn) noexcept {
  tw_syn_record record{};
  while (parts_.ring.pop(std::as_writable_bytes(std::span{&record, 1}))) {
    if (const auto report = report_of(record)) {
      syn = *report;
      return true;
    }
  }
  return false;
}

bool SynWatch::arm() noexcept {
  std::atomic_ref{control().asleep}.store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (parts_.ring.empty()) return true;
  disarm();
  return false;
}

void SynWatch::disarm() noexcept {
  std::atomic_ref{control().asleep}.store(0, std::memory_order_relaxed);
}

}  // namespace tw
