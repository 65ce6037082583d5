// The subcommands of `thalweg host`, one function each.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>

namespace tw::cli {

void add_host_apply(CLI::App& host, int& exit_code);   ///< host_state.cc
void add_host_status(CLI::App& host, int& exit_code);  ///< host_state.cc
void add_host_revert(CLI::App& host, int& exit_code);  ///< host_state.cc
void add_host_run(CLI::App& host, int& exit_code);     ///< host_run.cc

/// The user who has logged in, whoever that is by sudo now.
std::uint32_t login_uid();  // host_state.cc

}  // namespace tw::cli
