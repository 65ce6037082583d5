// Kernel settings under /proc/sys, changed so that they can be put back.
//
// A change is planned first (the old value is read), journalled by the caller, then made. Undoing
// it restores the old value only while the present one is still ours: what an administrator has set
// since is theirs.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tw {

/// One setting. The key is the path below /proc/sys ("net/ipv4/conf/wg0/rp_filter"): with dots, a
/// device called wg.0 could not be told apart.
struct SysctlChange {
  std::string key;
  std::string old_value;
  std::string value;
  friend auto operator<=>(const SysctlChange&, const SysctlChange&) = default;
};

/// The present value, without the final newline. ENOENT if this kernel (or this device) has no such
/// setting.
Result<std::string> read_sysctl(const std::string& key);

/// Reads the present value and changes nothing. `value` equal to it means there is nothing to make.
Result<SysctlChange> plan_sysctl(const std::string& key, std::string_view value);
Result<void> make(const SysctlChange& change);
/// Succeeds without writing if the value is no longer ours, or the setting is gone with its device.
Result<void> undo(const SysctlChange& change);

inline constexpr std::string_view fast_open_key = "net/ipv4/tcp_fastopen";
/// Lets this network namespace's sockets use TCP Fast Open as client and as server (RFC 7413) if
/// they ask for it; other bits of the setting stay. For IPv6 too, despite its name.
Result<SysctlChange> plan_fast_open();

/// Returns the settings that turn on IPv4 or IPv6 forwarding, in the order to make them. Forwarding
/// makes Linux forget the default route it has learned from router advertisements, unless accept_ra
/// is 2: so a host that lives by them keeps its own connection.
std::vector<std::pair<std::string, std::string>> forwarding_settings(bool ipv4, bool ipv6);

}  // namespace tw
