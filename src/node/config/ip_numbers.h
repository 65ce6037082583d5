// Addresses and numbers as ip(8) reads them, which wg-quick hands its values to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "node/config/config.h"
#include "node/config/config_mistakes.h"

namespace tw::node {

/// "1400", "0x578" or, octal, "02570", as strtoul(3) reads it with base 0; at most `highest`.
Parsed<std::uint32_t> read_c_number(std::string_view text, std::uint32_t highest);

/// "10.9.0.1/24", "10.9.0.1/255.255.255.0", "10.9/16" (10.9.0.0), "fd00::1/64"; without a length it
/// is a host's. Any address: whether an interface may have it, the kernel says.
Parsed<InterfaceAddress> read_ip_address(std::string_view text);

/// "auto" is no number; a number, or a name of /etc/iproute2/rt_tables and the folder beside it.
///
///   folder   "/etc/iproute2", but in tests
Parsed<std::uint32_t> read_route_table(std::string_view text, const std::string& folder);
inline constexpr const char* route_table_folder = "/etc/iproute2";

}  // namespace tw::node
