// The powers of a node, before and after it has opened everything.
//
// It starts as root, raises its limits, opens what needs root, and then keeps uid 0 (its files, the
// TUN and the sockets in /run stay in reach without CAP_DAC_OVERRIDE) with no more than the
// capabilities listed here. node/confine/confine.h takes the powers that uid 0 has without any
// capability.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace tw {

/// Kept: NET_ADMIN (routes, firewall, transparent sockets), NET_RAW (SO_BINDTODEVICE), BPF,
/// SYS_RESOURCE (without it pipes shrink to 8 KB after about a thousand), and NET_BIND_SERVICE (a
/// listen port below 1024 may be set at run time: 53 and 443 pass where others do not). NET_ADMIN
/// is required; of the others what the process has.
///
/// Call before any thread starts: capabilities belong to threads. Sets no_new_privs, makes the
/// process undumpable, sets the core limit to 0, and reads everything back; on an error the process
/// must end, for what is left of its rights is not known.
Result<void> drop_privileges();

/// Keeps this process's memory from other users' eyes, alive or dead: undumpable, no core dumps.
Result<void> hide_memory();

/// The same, and keeps no capability at all: for a process that only opens files of its own user.
Result<void> drop_all_privileges();

/// Sets the soft limit of open files to the hard one, and returns it.
Result<std::uint64_t> raise_file_limit();

/// Everything this machine lacks to run a tunnel, each a sentence that ends with the remedy; empty
/// if nothing. Changes nothing. With `relay` also what TPROXY and policy routing need.
std::vector<std::string> missing_prerequisites(bool relay);

}  // namespace tw
