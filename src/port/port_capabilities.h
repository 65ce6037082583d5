// The trains that a port takes and brings whole. A port says it by itself, and takes back what its
// kernel turns out to refuse; nobody else keeps a list, or guesses from an errno.
#pragma once

namespace tw {

struct PortCapabilities {
  bool receives_trains = false;  ///< several datagrams of one sender come as one train (UDP_GRO)
  bool sends_trains = false;     ///< a train of datagrams leaves in one piece (UDP_SEGMENT)
  bool checksums = false;        ///< finishes the checksums that a vnet header leaves to be done
  bool tcp_trains = false;       ///< takes TCP segments joined behind a vnet header (TSO)
  bool udp_trains = false;       ///< the same for UDP datagrams (USO)
};

}  // namespace tw
