#include "port/initial_window.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "bpf/abi.h"

namespace tw {

std::span<const unsigned char> initial_window_object() noexcept;  // made by cmake/bpf.cmake

namespace {

constexpr std::string_view what = "the eBPF program that opens initial windows";
constexpr std::string_view placeholder = "thalweg????????";  // in the program
// BPF_STRUCT_OPS of Linux 6.4: the headers this builds with may be older.
constexpr int struct_ops = 44;

// The kernel takes a name once.
std::string own_name() {
  SystemRandom random;
  return fmt::format("thalweg{:08x}", static_cast<std::uint32_t>(random.next()));
}

}  // namespace

Result<InitialWindow> InitialWindow::load() {
  const auto built = initial_window_object();
  std::vector<unsigned char> bytes{built.begin(), built.end()};
  std::string name = own_name();
  const auto place = std::ranges::search(bytes, placeholder);
  if (place.empty() || name.size() != placeholder.size()) {
    return make_error(Error::Kind::unavailable, "no place for a name in " + std::string{what});
  }
  std::ranges::copy(name, place.begin());
  const Result<BpfObject> object = BpfObject::load(bytes, what);
  if (!object) return std::unexpected(object.error());
  const Result<UniqueFd> limit_fd = object->map("window_limit");
  if (!limit_fd) return std::unexpected(limit_fd.error());
  Result<SharedMemory> limit =
      SharedMemory::map(limit_fd->get(), sizeof(tw_window_limit), SharedMemory::Access::write);
  if (!limit) return std::unexpected(limit.error());
  Result<UniqueFd> control = object->struct_ops("initial_window");
  if (!control) return std::unexpected(control.error());
  return InitialWindow{std::move(name), std::move(*control), std::move(*limit)};
}

Result<void> InitialWindow::enable() {
  if (link_) return {};
  // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange)
  constexpr auto where = static_cast<bpf_attach_type>(struct_ops);
  UniqueFd link{::bpf_link_create(control_.get(), 0, where, nullptr)};
  if (!link) return system_error("register " + std::string{what} + " (Linux 6.4)");
  link_ = std::move(link);
  return {};
}

void InitialWindow::set_most(std::uint32_t segments) noexcept {
  auto& limit = *static_cast<tw_window_limit*>(limit_.get());
  std::atomic_ref{limit.segments}.store(segments, std::memory_order_relaxed);
}

}  // namespace tw
