#include "port/tun/tun_filter.h"

#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <span>
#include <utility>

#include "bpf/abi.h"

namespace tw {

std::span<const unsigned char> tun_queue_object() noexcept;  // made by cmake/bpf.cmake

Result<TunFilter> TunFilter::load() {
  const Result<BpfObject> object =
      BpfObject::load(tun_queue_object(), "the TUN queue's eBPF program");
  if (!object) return std::unexpected(object.error());
  Result<UniqueFd> program = object->program("tun_queue_filter");
  if (!program) return std::unexpected(program.error());
  const Result<UniqueFd> map = object->map("tun_queue");
  if (!map) return std::unexpected(map.error());
  Result<SharedMemory> queue =
      SharedMemory::map(map->get(), sizeof(tw_tun_queue), SharedMemory::Access::write);
  if (!queue) return std::unexpected(queue.error());
  return TunFilter{std::move(*program), std::move(*queue)};
}

Result<void> TunFilter::attach(int tun_fd) {
  int program = program_.get();
  if (::ioctl(tun_fd, TUNSETFILTEREBPF, &program) == 0) return {};
  return system_error("TUNSETFILTEREBPF");
}

}  // namespace tw
