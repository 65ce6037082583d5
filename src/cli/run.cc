// thalweg run: the node, in the foreground, from one TOML file.
#include <fmt/core.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "cli/command.h"
#include "crypto/stack.h"
#include "node/config/config.h"
#include "node/confine/file_broker.h"
#include "node/node.h"

namespace tw::cli {
namespace {

/// Until the node takes signals itself there is nothing to undo, and what is read may be slow.
void stop_at_once(int /*signal*/) noexcept {
  constexpr std::string_view line = "thalweg run: asked to stop; nothing was started\n";
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) ::_exit(0);
  ::_exit(0);
}

/// The node, or nothing: `exit_code` is set then, and why was said. What the configuration held of
/// keys is gone when it returns.
std::unique_ptr<node::Node> start(const std::string& path, node::FileBroker& files,
                                  int& exit_code) {
  exit_code = exit_failed;
  auto config = node::load_config(path);
  if (!config) {
    for (const node::ConfigMistake& mistake : config.error()) {
      fmt::print(stderr, "{}\n", mistake.text());
    }
    fmt::print(stderr, "thalweg run: {} has mistakes; nothing was started\n", path);
    return nullptr;
  }
  if (Result<void> opened = log::open(config->process.log_level, config->process.log_file);
      !opened) {
    fmt::print(stderr, "thalweg run: {}\n", opened.error().text());
    return nullptr;
  }
  Result<std::unique_ptr<node::Node>> node = node::Node::start(std::move(*config), path, files);
  if (node && *node == nullptr) {
    log::info("asked to stop before it was up: all is undone");
    exit_code = 0;
  }
  if (node) return std::move(*node);
  fmt::print(stderr, "thalweg run: {}\n", node.error().text());
  return nullptr;
}

int run(const std::string& path) {
  for (const int number : {SIGTERM, SIGINT}) ::signal(number, stop_at_once);
  // Before any key is read: the broker must not have a copy.
  const auto files = node::FileBroker::start(path);
  if (!files) {
    fmt::print(stderr, "thalweg run: {}\n", files.error().text());
    return exit_failed;
  }
  int exit_code = exit_failed;
  std::unique_ptr<node::Node> node = start(path, **files, exit_code);
  if (!node) return exit_code;
  crypto::wipe_stack();
  const node::NodeStatus status = node->status();
  log::info("{}: up, port {}", status.interface, status.listen_port);
  const Result<void> served = node->serve();
  if (!served) log::error("{}", served.error().text());
  log::info("{}: going down", status.interface);
  node.reset();
  return served ? 0 : exit_failed;
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto config_file = std::make_shared<std::string>("/etc/thalweg/thalweg.toml");
  CLI::App* command = app.add_subcommand(
      "run", "Run a node in the foreground; SIGHUP reloads, SIGTERM drains and undoes everything");
  command->add_option("-c,--config", *config_file, "TOML file of the node")
      ->type_name("FILE")
      ->capture_default_str();
  command->callback([config_file, &exit_code] { exit_code = run(*config_file); });
}

}  // namespace tw::cli
