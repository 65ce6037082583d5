// The account of a reload, for whoever asked for it: the answer of `thalweg reload`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tw::node {

struct ReloadReport {
  std::string file;
  bool dry_run = false;                 ///< nothing was done but to read the file and to compare
  std::string error;                    ///< why it is not in force, or not all of it; empty: it is
  std::vector<std::string> mistakes;    ///< of the file, with their places
  std::vector<std::string> changes;     ///< as config_changes() says them
  std::vector<std::string> forgotten;   ///< keys that were set by hand until now
  std::uint64_t connections_reset = 0;  ///< relayed ones, which are refused now
  std::uint64_t flows_ended = 0;        ///< routed ones, likewise
  bool took_up_relay = false;           ///< it was drained, and takes connections again
};

/// Returns one JSON object in one line, with "error" if there is one, else with "ok".
std::string to_json(const ReloadReport& report);

}  // namespace tw::node
