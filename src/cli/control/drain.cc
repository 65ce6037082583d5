// thalweg drain: a running node's relay takes no new connections, and finishes those it has.
#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/command.h"
#include "cli/control/control_answer.h"
#include "cli/control/control_path.h"

namespace tw::cli {
namespace {

constexpr std::chrono::milliseconds poll_interval{200};

struct Options {
  ControlTarget target;
  unsigned timeout_s = 0;
};

/// Asking again is harmless: what drains already goes on.
int drain(const Options& options) {
  const auto begun = std::chrono::steady_clock::now();
  const bool person = ::isatty(STDERR_FILENO) == 1;
  for (;;) {
    const auto answer = ask("drain", options.target, {{"command", "drain"}});
    if (!answer) return exit_failed;
    const auto active = answer->value("active", std::uint64_t{0});
    if (person) fmt::print(stderr, "\r{} connections left \x1b[K", active);
    if (active == 0) {
      if (person) fmt::print(stderr, "\r\x1b[K");
      fmt::print("drained; `thalweg reload` takes connections again\n");
      return 0;
    }
    const auto passed = std::chrono::steady_clock::now() - begun;
    if (options.timeout_s > 0 && passed >= std::chrono::seconds{options.timeout_s}) {
      fmt::print(stderr, "{}thalweg drain: {} connections still run after {} s; they go on\n",
                 person ? "\n" : "", active, options.timeout_s);
      return exit_failed;
    }
    std::this_thread::sleep_for(poll_interval);
  }
}

}  // namespace

void add_drain(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "drain", "Let a running node's relay finish what it has, and take nothing new");
  add_control_target(*command, options->target);
  command->add_option("--timeout", options->timeout_s, "Wait at most so many seconds; 0: for ever")
      ->capture_default_str();
  command->callback([options, &exit_code] { exit_code = drain(*options); });
}

}  // namespace tw::cli
