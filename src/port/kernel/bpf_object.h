// A program for the kernel with its maps, as cmake/bpf.cmake has embedded them, loaded; and memory
// of a map seen from here. What is taken out of an object is the taker's: the object itself is only
// needed for that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

struct bpf_object;

namespace tw {

/// The number of a map's entries, in place of the number in the program's source.
struct BpfMapEntries {
  const char* map;
  std::uint32_t entries;
};

class BpfObject {
 public:
  /// `what` names it in errors ("the TUN queue's eBPF program") and must outlive this. Fails
  /// without CAP_BPF (and CAP_NET_ADMIN), or if the kernel refuses the program.
  static Result<BpfObject> load(std::span<const unsigned char> bytes, std::string_view what,
                                std::span<const BpfMapEntries> sizes = {});

  /// Descriptors of a program or a map by the name it has in the source.
  Result<UniqueFd> program(const char* name) const;
  Result<UniqueFd> map(const char* name) const;
  /// The map of a struct_ops (".struct_ops" in the source) with its programs in it: what a link
  /// registers, and unregisters when it is closed. Once.
  Result<UniqueFd> struct_ops(const char* name) const;

 private:
  struct Close {
    void operator()(bpf_object* object) const noexcept;
  };
  BpfObject(std::unique_ptr<bpf_object, Close> object, std::string_view what) noexcept
      : object_(std::move(object)), what_(what) {}
  Result<UniqueFd> keep(int fd) const;

  std::unique_ptr<bpf_object, Close> object_;
  std::string_view what_;
};

/// Memory shared with the kernel; unmapped with this.
class SharedMemory {
 public:
  enum class Access : std::uint8_t { read, write };
  /// `size` bytes of a map from `offset` on (a multiple of the page).
  static Result<SharedMemory> map(int fd, std::size_t size, Access access, std::size_t offset = 0);

  /// Returns memory of the size that was asked for, valid as long as this or its move target.
  void* get() const noexcept { return memory_.get(); }

 private:
  struct Unmap {
    std::size_t size = 0;
    void operator()(void* memory) const noexcept;
  };
  explicit SharedMemory(void* memory, std::size_t size) noexcept : memory_(memory, Unmap{size}) {}
  std::unique_ptr<void, Unmap> memory_;
};

}  // namespace tw
