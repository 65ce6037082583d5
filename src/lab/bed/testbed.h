// The machine under every experiment on the emulated links: checks before it begins, and facts for
// its report: the programs, the links' round trips, the settings of the hosts' TCP.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "lab/bed/run_lock.h"
#include "lab/bed/scratch.h"
#include "lab/bed/topology.h"
#include "lab/report/link_report.h"
#include "lab/report/progress.h"

namespace tw::lab {

/// An error, which says what to do, without root, /dev/net/tun, or a program that is needed: those
/// of every run and `programs`. `what` wants it, as in "the demonstration".
Result<void> check_machine(const std::string& what, std::initializer_list<const char*> programs);

/// The hosts and links of an experiment, and what it keeps as long as they are there. Its members
/// are destroyed in reverse order: the lock is held until all that the run has made is gone.
struct Testbed {
  RunLock lock;
  ScratchFolder scratch;
  Topology topology;
};

/// Locks the run, so that no other takes its things for a dead one's, removes what dead ones have
/// left, which `progress` hears of, and builds the hosts and links. Fails if one of them cannot be
/// made; then nothing is left of the others.
Result<Testbed> build_testbed(const TopologyShape& shape, Progress& progress, Interrupt& interrupt);

struct LinkFigures {
  std::vector<LinkReport> links;  ///< client_rc, rc_rs, rs_server
  Summary end_to_end_rtt_ms;
};

/// Round trips of the three links and of the whole way, by echoes; about one second.
Result<LinkFigures> measure_links(const TopologyShape& shape, const Topology& topology,
                                  Interrupt& interrupt);

using Facts = std::vector<std::pair<std::string, std::string>>;

/// Machine, programs, the links as described by `links`, congestion control as a connection's
/// sockets have it, socket buffers, nginx's `settings`.
Result<Facts> describe_testbed(const Topology& topology, const std::string& links,
                               const std::string& settings, Interrupt& interrupt);

/// The first line that a program prints about its version, on whichever stream; "?" if none.
std::string version_of(std::vector<std::string> argv, Interrupt& interrupt);

}  // namespace tw::lab
