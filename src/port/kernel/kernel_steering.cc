#include "port/kernel/kernel_steering.h"

#include <bpf/bpf.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "base/assert.h"
#include "bpf/abi.h"

namespace tw {

std::span<const unsigned char> steer_object() noexcept;  // made by cmake/bpf.cmake

static_assert(KernelSteering::workers_max == tw_steer_workers);
static_assert(KernelSteering::rounds == tw_steer_rounds);

namespace {

void store(__u16& into, std::uint16_t value) noexcept {
  std::atomic_ref{into}.store(value, std::memory_order_relaxed);
}

tw_steer_route key_of(const Prefix& prefix) noexcept {
  tw_steer_route route{};
  route.prefix_bits = prefix.length;
  const ByteView bytes = prefix.address.bytes();
  std::copy(bytes.begin(), bytes.end(), std::begin(route.address));
  return route;
}

}  // namespace

KernelSteering::KernelSteering(UniqueFd wire, UniqueFd host, UniqueFd sockets, UniqueFd routes_v4,
                               UniqueFd routes_v6, SharedMemory table) noexcept
    : wire_(std::move(wire)),
      host_(std::move(host)),
      sockets_(std::move(sockets)),
      routes_v4_(std::move(routes_v4)),
      routes_v6_(std::move(routes_v6)),
      table_(std::move(table)) {}

Result<KernelSteering> KernelSteering::load(std::span<const std::uint16_t, rounds> round_keys,
                                            std::size_t workers) {
  TW_ASSERT(workers > 0 && workers <= workers_max);
  const Result<BpfObject> object = BpfObject::load(steer_object(), "the eBPF programs that steer");
  if (!object) return std::unexpected(object.error());
  std::array<UniqueFd, 2> programs;
  for (std::size_t i = 0; const char* name : {"steer_wire", "steer_host"}) {
    Result<UniqueFd> program = object->program(name);
    if (!program) return std::unexpected(program.error());
    programs[i++] = std::move(*program);
  }
  std::array<UniqueFd, 4> maps;
  for (std::size_t i = 0;
       const char* name : {"steering", "steer_sockets", "steer_routes_v4", "steer_routes_v6"}) {
    Result<UniqueFd> map = object->map(name);
    if (!map) return std::unexpected(map.error());
    maps[i++] = std::move(*map);
  }
  Result<SharedMemory> table =
      SharedMemory::map(maps[0].get(), sizeof(tw_steering), SharedMemory::Access::write);
  if (!table) return std::unexpected(table.error());
  KernelSteering made{std::move(programs[0]), std::move(programs[1]), std::move(maps[1]),
                      std::move(maps[2]),     std::move(maps[3]),     std::move(*table)};
  std::ranges::copy(round_keys, std::begin(made.table().round_keys));
  store(made.table().workers, static_cast<std::uint16_t>(workers));
  return made;
}

void KernelSteering::assign(std::uint16_t bucket, std::uint16_t worker) noexcept {
  TW_ASSERT(bucket < tw_steer_buckets && worker < workers_max);
  store(table().worker_of[bucket], worker);
}

Result<void> KernelSteering::attach_wire(int udp_fd) noexcept {
  const int program = wire_.get();
  if (::setsockopt(udp_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof program) == 0) {
    return {};
  }
  return system_error("setsockopt SO_ATTACH_REUSEPORT_EBPF");
}

Result<void> KernelSteering::use_socket(Family family, std::size_t worker, int udp_fd) noexcept {
  TW_ASSERT(worker < workers_max);
  const std::uint32_t place =
      tw_steer_socket(static_cast<std::uint32_t>(worker), family == Family::v6 ? 1 : 0);
  const auto socket = static_cast<std::uint64_t>(udp_fd);
  if (::bpf_map_update_elem(sockets_.get(), &place, &socket, BPF_ANY) == 0) return {};
  return system_error("give a worker's socket to the eBPF program that steers");
}

Result<void> KernelSteering::attach_host(int tun_fd) noexcept {
  int program = host_.get();
  if (::ioctl(tun_fd, TUNSETSTEERINGEBPF, &program) == 0) return {};
  return system_error("TUNSETSTEERINGEBPF");
}

Result<void> KernelSteering::set_route(const Prefix& prefix, std::uint16_t bucket) noexcept {
  TW_ASSERT(bucket < tw_steer_buckets);
  const tw_steer_route key = key_of(prefix);
  const std::uint32_t value = bucket;
  const int map = routes(prefix.address.family());
  if (::bpf_map_update_elem(map, &key, &value, BPF_ANY) == 0) return {};
  return system_error("give " + prefix.text() + " to the eBPF program that steers");
}

void KernelSteering::remove_route(const Prefix& prefix) noexcept {
  const tw_steer_route key = key_of(prefix);
  static_cast<void>(::bpf_map_delete_elem(routes(prefix.address.family()), &key));
}

}  // namespace tw
