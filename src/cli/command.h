// One function a subcommand: it declares its options and, when it is chosen, runs and leaves its
// exit code. 0 = done, 1 = failed, 2 = used wrongly, 130 = interrupted.
#pragma once

#include <CLI/CLI.hpp>

namespace tw::cli {

inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_interrupted = 130;

void add_run(CLI::App& app, int& exit_code);        ///< run.cc
void add_check(CLI::App& app, int& exit_code);      ///< check.cc
void add_wg(CLI::App& app, int& exit_code);         ///< wg.cc
void add_wg_quick(CLI::App& wg, int& exit_code);    ///< wg_quick.cc; below `wg`
void add_status(CLI::App& app, int& exit_code);     ///< status.cc
void add_reload(CLI::App& app, int& exit_code);     ///< reload.cc
void add_peer(CLI::App& app, int& exit_code);       ///< peer/peer.cc
void add_set(CLI::App& app, int& exit_code);        ///< set.cc
void add_clean(CLI::App& app, int& exit_code);      ///< clean.cc
void add_reference(CLI::App& app, int& exit_code);  ///< reference.cc
void add_drain(CLI::App& app, int& exit_code);      ///< drain.cc
void add_host(CLI::App& app, int& exit_code);       ///< host/host.cc
void add_lab(CLI::App& app, int& exit_code);        ///< lab.cc; `demo` and what is below `lab`

}  // namespace tw::cli
