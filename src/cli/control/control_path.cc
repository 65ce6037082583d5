#include "cli/control/control_path.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include "node/config/config_socket.h"
#include "node/control/control_server.h"

namespace tw::cli {

void add_control_target(CLI::App& command, ControlTarget& target) {
  auto* interface = command.add_option("interface", target.interface,
                                       "The node's interface, if several run here");
  auto* socket =
      command.add_option("--socket", target.socket, "Its control socket, if that was configured");
  socket->type_name("PATH")->excludes(interface);
  command.add_option("-c,--config", target.config_file, "Or its file, which says one or the other")
      ->type_name("FILE")
      ->excludes(interface)
      ->excludes(socket);
}

Result<std::string> control_path(const ControlTarget& target) {
  if (!target.socket.empty()) return target.socket;
  if (!target.config_file.empty()) return node::control_socket_of_file(target.config_file);
  if (!target.interface.empty()) return node::default_control_socket(target.interface);
  std::vector<std::string> found;
  std::error_code ignored;
  const std::filesystem::path folder =
      std::filesystem::path{node::default_control_socket("x")}.parent_path();
  for (const auto& entry : std::filesystem::directory_iterator{folder, ignored}) {
    if (entry.path().extension() == ".sock") found.push_back(entry.path().string());
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return make_error(Error::Kind::unavailable,
                      "no node runs here (no socket in " + folder.string() +
                          "); start one with 'thalweg run -c FILE', or give --socket");
  }
  std::string names;
  for (const std::string& path : found) {
    names += ' ' + std::filesystem::path{path}.stem().string();
  }
  return make_error(Error::Kind::config, "several nodes run here; name one of:" + names);
}

}  // namespace tw::cli
