#include "port/tun/tun_filter.h"

#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "bpf/abi.h"

namespace tw {

std::span<const unsigned char> tun_queue_object() noexcept;  // made by cmake/bpf.cmake

// The kernel rounds up what lies between two elements of an array to eight bytes.
static_assert(sizeof(tw_tun_queue) % 8 == 0);

Result<TunFilter> TunFilter::load(std::size_t queues) {
  const std::array sizes{BpfMapEntries{"tun_queue", static_cast<std::uint32_t>(queues)}};
  const Result<BpfObject> object =
      BpfObject::load(tun_queue_object(), "the TUN queue's eBPF program", sizes);
  if (!object) return std::unexpected(object.error());
  Result<UniqueFd> program = object->program("tun_queue_filter");
  if (!program) return std::unexpected(program.error());
  const Result<UniqueFd> map = object->map("tun_queue");
  if (!map) return std::unexpected(map.error());
  Result<SharedMemory> memory =
      SharedMemory::map(map->get(), queues * sizeof(tw_tun_queue), SharedMemory::Access::write);
  if (!memory) return std::unexpected(memory.error());
  return TunFilter{std::move(*program), std::move(*memory)};
}

tw_tun_queue& TunFilter::queue(std::size_t number) const noexcept {
  return static_cast<tw_tun_queue*>(queues_.get())[number];
}

Result<void> TunFilter::attach(int tun_fd) {
  int program = program_.get();
  if (::ioctl(tun_fd, TUNSETFILTEREBPF, &program) == 0) return {};
  return system_error("TUNSETFILTEREBPF");
}

}  // namespace tw
