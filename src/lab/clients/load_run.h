// A run of the load generator, from sockets to report:
//
//   open sink, echo, flood ─▶ handshakes of all peers ─▶ seal ahead ─▶ load, bystander, flood ─▶
//   drain
//
// Threads: the load's event loop, the sink, the bystander and the flood; the caller's waits for
// them, for its time or for a signal. They share nothing but counters with one writer.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "lab/bed/interrupt.h"
#include "lab/clients/clients_report.h"
#include "lab/clients/options.h"

namespace tw::lab {

/// Told about once a second what the run is doing.
using Say = std::function<void(const std::string& what)>;

/// `options` are checked first. A signal ends it early: what was measured until then is reported.
/// An error if not one handshake was completed.
Result<ClientsReport> run_clients(const ClientsOptions& options, Interrupt& interrupt,
                                  const Say& say);

}  // namespace tw::lab
