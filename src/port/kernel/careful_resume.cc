#include "port/kernel/careful_resume.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "bpf/abi.h"
#include "port/kernel/bpf_object.h"

namespace tw {

std::span<const unsigned char> careful_resume_object() noexcept;  // made by cmake/bpf.cmake

namespace {

constexpr std::string_view what = "the eBPF program that resumes transfers";
constexpr std::string_view placeholder = "thalweg????????";  // in the program
// BPF_STRUCT_OPS of Linux 6.4: the headers this builds with may be older.
constexpr int struct_ops = 44;

static_assert(static_cast<int>(CarefulResume::Probe::nothing) == tw_resume_nothing_more &&
              static_cast<int>(CarefulResume::Probe::little) == tw_resume_little_more &&
              static_cast<int>(CarefulResume::Probe::much) == tw_resume_much_more);

// The kernel takes a name once.
std::string own_name() {
  SystemRandom random;
  return fmt::format("thalweg{:08x}", static_cast<std::uint32_t>(random.next()));
}

using ControlName = std::array<char, sizeof(tw_resume::then)>;

Result<void> set_control(int socket, std::string_view name) noexcept {
  if (::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                   static_cast<socklen_t>(name.size())) == 0) {
    return {};
  }
  return system_error("set the congestion control " + std::string{name});
}

std::string_view text_of(const ControlName& name) noexcept {
  return {name.data(), ::strnlen(name.data(), name.size())};
}

}  // namespace

Result<CarefulResume> CarefulResume::load() {
  const auto built = careful_resume_object();
  std::vector<unsigned char> bytes{built.begin(), built.end()};
  std::string name = own_name();
  const auto place = std::ranges::search(bytes, placeholder);
  if (place.empty() || name.size() != placeholder.size()) {
    return make_error(Error::Kind::unavailable, "no place for a name in " + std::string{what});
  }
  std::ranges::copy(name, place.begin());
  const Result<BpfObject> object = BpfObject::load(bytes, what);
  if (!object) return std::unexpected(object.error());
  Result<UniqueFd> starts = object->map("resume");
  if (!starts) return std::unexpected(starts.error());
  Result<UniqueFd> control = object->struct_ops("careful_resume");
  if (!control) return std::unexpected(control.error());
  return CarefulResume{std::move(name), std::move(*control), std::move(*starts)};
}

Result<void> CarefulResume::enable() {
  if (link_) return {};
  // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange)
  constexpr auto where = static_cast<bpf_attach_type>(struct_ops);
  UniqueFd link{::bpf_link_create(control_.get(), 0, where, nullptr)};
  if (!link) return system_error("register " + std::string{what} + " (Linux 6.4)");
  link_ = std::move(link);
  return {};
}

Result<void> CarefulResume::begin(int socket, const Start& start) const noexcept {
  ControlName then{};
  auto size = static_cast<socklen_t>(then.size());
  if (::getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, then.data(), &size) != 0) {
    return system_error("ask for the congestion control");
  }
  if (text_of(then) == name_) {  // the kernel begins anew only where it has to change something
    tw_resume earlier{};
    if (::bpf_map_lookup_elem(starts_.get(), &socket, &earlier) != 0) {
      return system_error("ask for the congestion control that follows");
    }
    std::ranges::copy(earlier.then, then.begin());
    if (auto back = set_control(socket, text_of(then)); !back) return back;
  }
  tw_resume told{};
  told.rate = start.bytes_per_s;
  told.window = start.window;
  told.probe = static_cast<__u32>(start.probe);
  told.models = text_of(then).starts_with("bbr") ? 1 : 0;
  std::ranges::copy(then, told.then);
  if (::bpf_map_update_elem(starts_.get(), &socket, &told, BPF_ANY) != 0) {
    return system_error("tell the kernel how a transfer begins");
  }
  return set_control(socket, name_);
}

Result<void> CarefulResume::acknowledge(int socket) const noexcept {
  ControlName then{};
  auto size = static_cast<socklen_t>(then.size());
  if (::getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, then.data(), &size) != 0) {
    return system_error("ask for the congestion control");
  }
  if (text_of(then) == name_) return {};
  // Without anything to start from, the program acknowledges and does nothing more.
  static_cast<void>(::bpf_map_delete_elem(starts_.get(), &socket));
  if (auto taken = set_control(socket, name_); !taken) return taken;
  return set_control(socket, text_of(then));
}

Result<CarefulResume::Reached> CarefulResume::reached(int socket) const noexcept {
  tw_resume start{};
  if (::bpf_map_lookup_elem(starts_.get(), &socket, &start) != 0) {
    return system_error("ask how a transfer began");
  }
  return Reached{.bytes_per_s = start.rate,
                 .is_full = start.is_full != 0,
                 .over = start.phase == tw_resume_over};
}

}  // namespace tw
