#include "port/bpf_object.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <string>

namespace tw {

void BpfObject::Close::operator()(bpf_object* object) const noexcept {
  ::bpf_object__close(object);
}

Result<BpfObject> BpfObject::load(std::span<const unsigned char> bytes, std::string_view what) {
  ::libbpf_set_print(nullptr);  // it writes to stderr by itself
  std::unique_ptr<bpf_object, Close> object{
      ::bpf_object__open_mem(bytes.data(), bytes.size(), nullptr)};
  if (object == nullptr) return system_error("open " + std::string{what});
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
