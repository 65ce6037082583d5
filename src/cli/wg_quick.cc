// thalweg wg up, thalweg wg down: what wg-quick does, always with Thalweg's device.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/log.h"
#include "cli/command.h"
#include "node/quick/quick.h"

namespace tw::cli {
namespace {

constexpr int signal_exit_base = 128;  // as shells have it

int run_quick(const std::string& file, bool up) {
  const char* const verb = up ? "up" : "down";
  if (::geteuid() != 0) {
    fmt::print(stderr, "thalweg wg {}: must be run as root\n", verb);
    return exit_failed;
  }
  if (Result<void> opened = log::open(log::Level::warning); !opened) {
    fmt::print(stderr, "thalweg wg {}: {}\n", verb, opened.error().text());
    return exit_failed;
  }
  const auto conf = node::load_quick_conf(file);
  if (!conf) {
    for (const node::ConfigMistake& mistake : conf.error()) {
      fmt::print(stderr, "{}\n", mistake.text());
    }
    return exit_failed;
  }
  for (const std::string& warning : conf->warnings) node::tell("Warning: " + warning);
  Result<node::Interrupts> interrupts = node::Interrupts::open();
  const Result<void> done = !interrupts ? std::unexpected(interrupts.error())
                            : up        ? node::quick_up(*conf, *interrupts)
                                        : node::quick_down(*conf, *interrupts);
  if (done) return 0;
  node::tell(
      fmt::format("thalweg wg {} {}: {}", verb, conf->tunnel.interface, done.error().text()));
  const int signal = interrupts ? interrupts->received() : 0;
  return signal == 0 ? exit_failed : signal_exit_base + signal;
}

void add_verb(CLI::App& wg, int& exit_code, bool up, const char* description) {
  auto file = std::make_shared<std::string>();
  CLI::App* command = wg.add_subcommand(up ? "up" : "down", description);
  command->add_option("file", *file, "FILE.conf, or the NAME of /etc/wireguard/NAME.conf")
      ->type_name("FILE")
      ->required();
  command->callback([file, &exit_code, up] { exit_code = run_quick(*file, up); });
}

}  // namespace

void add_wg_quick(CLI::App& wg, int& exit_code) {
  add_verb(wg, exit_code, true, "Bring a wg-quick configuration up");
  add_verb(wg, exit_code, false, "Take it down, also after the device was killed");
}

}  // namespace tw::cli
