// The NAPIs of a device and their settings, through the kernel's generic netlink family `netdev`
// (Linux 6.8; per-NAPI settings 6.13, `threaded` 6.17).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"

namespace tw {

/// The state of one NAPI. Empty: this kernel does not say.
struct NapiState {
  std::uint32_t id = 0;
  std::uint32_t irq = 0;         ///< 0: none
  std::uint32_t thread_pid = 0;  ///< of its kernel thread; 0: it runs in softirq
  std::optional<std::uint64_t> threaded{};
  std::optional<std::uint64_t> defer_hard_irqs{};      ///< polls that find nothing
  std::optional<std::uint64_t> gro_flush_timeout{};    ///< ns
  std::optional<std::uint64_t> irq_suspend_timeout{};  ///< ns
};

/// A setting that NapiNetlink::set() takes.
enum class NapiAttribute : std::uint8_t {
  defer_hard_irqs,
  gro_flush_timeout,
  irq_suspend_timeout,
  threaded
};

/// Belongs to one thread; works on the network namespace that thread was in at open().
class NapiNetlink {
 public:
  /// `unavailable` if this kernel has no such family.
  static Result<NapiNetlink> open();
  NapiNetlink(NapiNetlink&&) noexcept;
  NapiNetlink& operator=(NapiNetlink&&) noexcept;
  ~NapiNetlink();

  /// By ascending id. Empty while the device is down: most drivers have none then.
  Result<std::vector<NapiState>> napis(std::uint32_t device_index);
  /// Needs CAP_NET_ADMIN. ERANGE if the kernel does not know the value.
  Result<void> set(std::uint32_t napi_id, NapiAttribute attribute, std::uint64_t value);

 private:
  struct Socket;
  explicit NapiNetlink(std::unique_ptr<Socket> socket) noexcept;
  std::unique_ptr<Socket> socket_;
};

}  // namespace tw
