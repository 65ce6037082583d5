// thalweg peer: the clients of a node, each in a file of its own.
#include <fmt/core.h>

#include <csignal>

#include "cli/command.h"
#include "cli/peer/peer_command.h"
#include "node/config/config_mistakes.h"

namespace tw::cli {

void add_peer_target(CLI::App& command, ControlTarget& target) {
  auto* interface =
      command.add_option("--interface", target.interface, "The node's, if several run here");
  auto* socket =
      command.add_option("--socket", target.socket, "Its control socket, if that was configured");
  interface->type_name("NAME");
  socket->type_name("PATH")->excludes(interface);
  command
      .add_option("-c,--config", target.config_file, "Or its file, whether the node runs or not")
      ->type_name("FILE")
      ->excludes(interface)
      ->excludes(socket);
}

std::unexpected<Error> no_such_peer(const std::string& name,
                                    const std::vector<std::string>& names) {
  return make_error(Error::Kind::config,
                    "no peer has the name " + node::shown(name) + ": " +
                        node::did_you_mean(name, names, "`thalweg peer list` names them"));
}

int peer_failed(std::string_view command, const Error& error) {
  fmt::print(stderr, "thalweg peer {}: {}\n", command, error.text());
  return exit_failed;
}

Undisturbed::Undisturbed() noexcept {
  ::sigset_t signals;
  ::sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
}

Undisturbed::~Undisturbed() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void add_peer(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("peer", "Add, list and remove the clients of a node");
  command->require_subcommand(1);
  add_peer_add(*command, exit_code);
  add_peer_list(*command, exit_code);
  add_peer_change(*command, exit_code);
}

}  // namespace tw::cli
