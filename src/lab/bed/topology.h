// Five hosts on one machine:
//
//   client ══ rc ════════ wan ── rs ══ server        ══ emulated link, ── veth
//        32.7 ms    215 ms             26 ms         round trips of the KTCP paper
//
// `wan` is a router between the PoPs that belongs to neither, as on the Internet: what one PoP
// sends the other has to be routed, and cannot lean on their being neighbours. The server has one
// address for each way of reaching it, so that nothing is reconfigured between two downloads.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "lab/bed/link.h"
#include "lab/bed/netns.h"

namespace tw::lab {

struct TopologyShape {
  LinkShape client_rc{.rtt = std::chrono::microseconds{32'700}};
  LinkShape rc_rs{.rtt = std::chrono::milliseconds{215}};
  LinkShape rs_server{.rtt = std::chrono::milliseconds{26}};
  std::string congestion = "cubic";  ///< of client and server, by their routes
  std::string pop_congestion;        ///< of R_C and R_S on the underlay; "": the system's
};

/// Addresses of the underlay (198.18.0.0/15 is set aside for benchmarks, RFC 2544) and the overlay.
namespace address {
inline constexpr const char* client = "198.18.1.1";
inline constexpr const char* rc_access = "198.18.1.2";  ///< of R_C, as the client sees it
inline constexpr const char* rc = "198.18.2.1";
inline constexpr const char* wan_west = "198.18.2.2";
inline constexpr const char* wan_east = "198.18.3.1";
inline constexpr const char* rs = "198.18.3.2";
inline constexpr const char* rs_access = "198.18.4.1";
inline constexpr const char* server = "198.18.4.2";
inline constexpr const char* service_direct = "198.19.0.1";     ///< routed end to end
inline constexpr const char* service_tunnelled = "198.19.0.2";  ///< through the client's tunnel
inline constexpr const char* service_relayed = "198.19.0.3";    ///< through both PoPs' relays
inline constexpr const char* client_overlay = "10.99.0.2";
inline constexpr const char* rc_overlay = "10.99.0.1";
inline constexpr const char* rs_overlay = "10.99.1.1";
}  // namespace address

/// Owns the namespaces and the links. End hosts have the kernel's stock buffers.
class Topology {
 public:
  static Result<Topology> create(const TopologyShape& shape, Interrupt& interrupt);

  const Namespace& client() const noexcept { return hosts_[0]; }
  const Namespace& rc() const noexcept { return hosts_[1]; }
  const Namespace& rs() const noexcept { return hosts_[3]; }
  const Namespace& server() const noexcept { return hosts_[4]; }

 private:
  Topology() = default;
  Result<void> add_hosts(Interrupt& interrupt);
  Result<void> add_links(const TopologyShape& shape, Interrupt& interrupt);
  Result<void> add_routes(const TopologyShape& shape, Interrupt& interrupt);
  Result<void> set_sysctls();

  std::vector<Namespace> hosts_;     ///< client, rc, wan, rs, server
  std::vector<EmulatedLink> links_;  ///< destroyed before the hosts they end in
};

}  // namespace tw::lab
