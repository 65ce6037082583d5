// Finds out which congestion control a connection really uses. The sysctl or route that asked for
// one says little: the default inside a namespace may be another, and setting it may be refused.
#pragma once

#include <string>

#include "base/result.h"
#include "lab/bed/netns.h"

namespace tw::lab {

struct TcpFacts {
  std::string server_congestion;  ///< TCP_CONGESTION of the accepted socket
  std::string client_congestion;  ///< and of the one that connected
};

/// Makes a connection from `client` to `address`, a local IPv4 address of `server`, asks both of
/// its sockets, and closes it.
Result<TcpFacts> probe_tcp(const Namespace& client, const Namespace& server,
                           const std::string& address, Interrupt& interrupt);

}  // namespace tw::lab
