#include "port/tun_filter.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <span>
#include <utility>

#include "bpf/abi.h"

namespace tw {

std::span<const unsigned char> tun_queue_object() noexcept;  // made by cmake/bpf.cmake

namespace {

struct CloseObject {
  void operator()(bpf_object* object) const noexcept { ::bpf_object__close(object); }
};
using Object = std::unique_ptr<bpf_object, CloseObject>;

Result<Object> load_object() {
  ::libbpf_set_print(nullptr);  // it writes to stderr by itself
  const std::span<const unsigned char> bytes = tun_queue_object();
  Object object{::bpf_object__open_mem(bytes.data(), bytes.size(), nullptr)};
  if (object == nullptr) return system_error("open the TUN queue's eBPF program");
  if (const int failed = ::bpf_object__load(object.get()); failed != 0) {
    return system_error(-failed, "load the TUN queue's eBPF program");
  }
  return object;
}

}  // namespace

void TunFilter::Unmap::operator()(tw_tun_queue* queue) const noexcept {
  ::munmap(queue, sizeof *queue);
}

Result<TunFilter> TunFilter::load() {
  const Result<Object> object = load_object();
  if (!object) return std::unexpected(object.error());
  const bpf_program* const program =
      ::bpf_object__find_program_by_name(object->get(), "tun_queue_filter");
  const bpf_map* const map = ::bpf_object__find_map_by_name(object->get(), "tun_queue");
  if (program == nullptr || map == nullptr) {
    return make_error(Error::Kind::unavailable, "the TUN queue's eBPF object lacks a part");
  }
  // The object closes its descriptors with itself.
  UniqueFd kept{::fcntl(::bpf_program__fd(program), F_DUPFD_CLOEXEC, 0)};
  if (!kept) return system_error("keep the TUN queue's eBPF program");
  void* const shared = ::mmap(nullptr, sizeof(tw_tun_queue), PROT_READ | PROT_WRITE, MAP_SHARED,
                              ::bpf_map__fd(map), 0);
  if (shared == MAP_FAILED) return system_error("map the TUN queue's counters");
  return TunFilter{std::move(kept),
                   std::unique_ptr<tw_tun_queue, Unmap>{static_cast<tw_tun_queue*>(shared)}};
}

Result<void> TunFilter::attach(int tun_fd) {
  int program = program_.get();
  if (::ioctl(tun_fd, TUNSETFILTEREBPF, &program) == 0) return {};
  return system_error("TUNSETFILTEREBPF");
}

}  // namespace tw
