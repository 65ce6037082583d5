// thalweg: one binary, one subcommand a job. Called as `thalweg-wg IFACE` (what wg-quick's
// WG_QUICK_USERSPACE_IMPLEMENTATION expects of a program) it is `thalweg wg IFACE`.
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace {

/// The arguments after the program's name, as the subcommand they mean.
std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::string_view name = argc > 0 ? argv[0] : "thalweg";
  if (const std::size_t slash = name.rfind('/'); slash != std::string_view::npos) {
    name.remove_prefix(slash + 1);
  }
  if (name == "thalweg-wg") arguments.insert(arguments.begin(), "wg");
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  // A peer that hangs up, or a reader of ours, is an error of one write, not the end of the
  // process.
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app{"Thalweg: a point of presence of an overlay network, in user space", "thalweg"};
  app.set_version_flag("--version", std::string{"thalweg "} + TW_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);

  int exit_code = 0;
  tw::cli::add_run(app, exit_code);
  tw::cli::add_check(app, exit_code);
  tw::cli::add_wg(app, exit_code);
  tw::cli::add_status(app, exit_code);
  tw::cli::add_reload(app, exit_code);
  tw::cli::add_peer(app, exit_code);
  tw::cli::add_set(app, exit_code);
  tw::cli::add_drain(app, exit_code);
  tw::cli::add_clean(app, exit_code);
  tw::cli::add_reference(app, exit_code);
  tw::cli::add_host(app, exit_code);
  tw::cli::add_lab(app, exit_code);

  std::vector<std::string> arguments = arguments_of(argc, argv);
  // CLI11 takes them last first.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& stop) {
    const int code = app.exit(stop);
    return code == 0 ? 0 : tw::cli::exit_usage;
  }
  return exit_code;
}
