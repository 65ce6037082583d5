// Endpoints as `wg` writes them, with the zone of a link-local address by the interface's name. The
// names are those of the network namespace that the calling thread is in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/address.h"

namespace tw::node {

/// "eth0", or an interface's index in figures: the name is tried first, as getaddrinfo(3) does.
/// Empty if there is no such interface; an index is not looked up.
std::optional<std::uint32_t> zone_index(std::string_view zone);

/// "192.0.2.1:51820", "[2001:db8::1]:51820" or "[fe80::1%eth0]:51820", as datagrams from there will
/// show it: an IPv4-mapped address is IPv4, and a zone belongs to link-local addresses alone.
std::optional<Endpoint> read_endpoint(std::string_view text);

/// The same for people and files: indices of interfaces do not survive a restart of the machine,
/// and are written only where an interface has no name any more.
std::string endpoint_text(const Endpoint& endpoint);

}  // namespace tw::node
