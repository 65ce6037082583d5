#include "port/kernel/bpf_object.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include <cerrno>
#include <string>

namespace tw {
namespace {

// BPF_F_LINK of Linux 6.4, which the headers may be too old for: what is registered goes with a
// descriptor. Without it a struct_ops would stay in the kernel when the process is gone.
constexpr std::uint32_t by_link = 1U << 13U;

void register_by_link(bpf_object& object) noexcept {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, &object) {
    if (::bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS) continue;
    static_cast<void>(::bpf_map__set_map_flags(map, ::bpf_map__map_flags(map) | by_link));
  }
}

}  // namespace

void BpfObject::Close::operator()(bpf_object* object) const noexcept {
  ::bpf_object__close(object);
}

Result<BpfObject> BpfObject::load(std::span<const unsigned char> bytes, std::string_view what,
                                  std::span<const BpfMapEntries> sizes) {
  ::libbpf_set_print(nullptr);  // it writes to stderr by itself
  std::unique_ptr<bpf_object, Close> object{
      ::bpf_object__open_mem(bytes.data(), bytes.size(), nullptr)};
  if (object == nullptr) return system_error("open " + std::string{what});
  register_by_link(*object);
  for (const BpfMapEntries& size : sizes) {
    bpf_map* const map = ::bpf_object__find_map_by_name(object.get(), size.map);
    const int failed = map == nullptr ? -ENOENT : ::bpf_map__set_max_entries(map, size.entries);
    if (failed != 0) return system_error(-failed, "size a map of " + std::string{what});
  }
  if (const int failed = ::bpf_object__load(object.get()); failed != 0) {
    return system_error(-failed, "load " + std::string{what});
  }
  return BpfObject{std::move(object), what};
}

Result<UniqueFd> BpfObject::program(const char* name) const {
  const bpf_program* const found = ::bpf_object__find_program_by_name(object_.get(), name);
  return keep(found == nullptr ? -1 : ::bpf_program__fd(found));
}

Result<UniqueFd> BpfObject::map(const char* name) const {
  const bpf_map* const found = ::bpf_object__find_map_by_name(object_.get(), name);
  return keep(found == nullptr ? -1 : ::bpf_map__fd(found));
}

// libbpf calls it attaching; before 1.2 it knows no links, and only fills the map. A link that a
// later one makes is given up: whoever has the map makes its own.
Result<UniqueFd> BpfObject::struct_ops(const char* name) const {
  bpf_map* const found = ::bpf_object__find_map_by_name(object_.get(), name);
  if (found == nullptr) return keep(-1);
  bpf_link* const filled = ::bpf_map__attach_struct_ops(found);
  if (filled == nullptr) return system_error("prepare " + std::string{what_});
  ::bpf_link__destroy(filled);
  return keep(::bpf_map__fd(found));
}

// The object closes its own with itself.
Result<UniqueFd> BpfObject::keep(int fd) const {
  if (fd < 0) {
    return make_error(Error::Kind::unavailable, "a part is missing in " + std::string{what_});
  }
  UniqueFd kept{::fcntl(fd, F_DUPFD_CLOEXEC, 0)};
  if (!kept) return system_error("keep " + std::string{what_});
  return kept;
}

Result<SharedMemory> SharedMemory::map(int fd, std::size_t size, Access access,
                                       std::size_t offset) {
  const int protection = access == Access::write ? PROT_READ | PROT_WRITE : PROT_READ;
  void* const memory =
      ::mmap(nullptr, size, protection, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (memory == MAP_FAILED) return system_error("share memory with an eBPF program");
  return SharedMemory{memory, size};
}

void SharedMemory::Unmap::operator()(void* memory) const noexcept { ::munmap(memory, size); }

}  // namespace tw
