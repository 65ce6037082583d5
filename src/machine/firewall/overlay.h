// Tells which addresses are the overlay's, and which peer's each one is: pure, as ranges.
//
// An address belongs to the peer with the longest allowed IP that holds it, as the tunnel decides
// it. A network that another device of this machine is connected to, and that lies within an
// allowed IP, is that device's: the kernel routes it there, and an administrator who sits in it is
// not to be taken for somebody who forges the overlay's addresses.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "wire/address.h"

namespace tw {

/// From the first address to the last, both included, of one family.
struct OverlayRange {
  IpAddress first, last;
  std::uint32_t peer = 0;  ///< as it was given with the prefix
  friend bool operator==(const OverlayRange&, const OverlayRange&) = default;
};

/// A prefix and the number of the peer that it belongs to.
using OwnedPrefix = std::pair<Prefix, std::uint32_t>;

/// Sorted, IPv4 first; ranges do not overlap, and those of one peer that touch are one.
/// `elsewhere` are networks of other devices: they are left out where they lie within a shorter
/// prefix of `owned`.
std::vector<OverlayRange> overlay_ranges(std::vector<OwnedPrefix> owned,
                                         const std::vector<Prefix>& elsewhere = {});

/// Without peers: what touches is one range of peer 0.
std::vector<OverlayRange> without_peers(std::vector<OverlayRange> ranges);

/// False, whoever claims it, for a default route (/0, /1), which says where to send everything, and
/// for addresses that mean something else on each link.
bool names_overlay(const Prefix& allowed_ip) noexcept;

}  // namespace tw
