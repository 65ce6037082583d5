// lab_bed: parts of the lab's bed and its arithmetic as a command, for bench/ and the tests in
// Python.
//
//   lab_bed link …        an emulated link between two network namespaces that exist; says "ready",
//                         and moves packets until it is told to end
//   lab_bed statistics    reads numbers from stdin, prints what they come to as JSON
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "lab/bed/link_command.h"
#include "lab/report/statistics_json.h"

namespace tw::lab {
namespace {

constexpr int wrong_usage = 2;

/// Returns when a signal tells it to end.
void serve(const sigset_t& signals, std::uint64_t then_bps, EmulatedLink& link) {
  for (int number = 0; sigwait(&signals, &number) == 0;) {
    if (number == SIGUSR1) {
      fmt::print("dropped {}\n", link.dropped());
      std::fflush(stdout);
    } else if (number == SIGUSR2) {
      if (then_bps != 0) link.set_rate(then_bps);
    } else {
      return;
    }
  }
}

Result<void> run_link(const LinkCommand& command) {
  // Before any thread, so that a signal waits for the main thread and not for one of them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) {
    sigaddset(&signals, number);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto near = Namespace::open(command.near_namespace);
  if (!near) return std::unexpected(near.error());
  const auto far = Namespace::open(command.far_namespace);
  if (!far) return std::unexpected(far.error());
  auto interrupt = Interrupt::watch();
  if (!interrupt) return std::unexpected(interrupt.error());
  auto link = EmulatedLink::create({*near, command.near_device, ""}, {*far, command.far_device, ""},
                                   command.directions, *interrupt);
  if (!link) return std::unexpected(link.error());
  std::puts("ready");
  std::fflush(stdout);
  serve(signals, command.then_bps, *link);
  return {};
}

int link(const std::vector<std::string>& words) {
  const auto command = LinkCommand::parse(words);
  if (!command) {
    fmt::print(stderr, "usage: {}\nlab_bed: {}\n", LinkCommand::usage, command.error().text());
    return wrong_usage;
  }
  const auto done = run_link(*command);
  if (done) return 0;
  fmt::print(stderr, "lab_bed: {}\n", done.error().text());
  return 1;
}

int statistics() {
  std::vector<double> values;
  for (double value = 0; std::cin >> value;) values.push_back(value);
  if (!std::cin.eof() || values.empty()) {
    std::fputs("lab_bed statistics: stdin: numbers, at least one\n", stderr);
    return wrong_usage;
  }
  fmt::print("{}\n", statistics_json(values));
  return 0;
}

}  // namespace
}  // namespace tw::lab

int main(int argc, char** argv) {
  const std::vector<std::string> words{argv + 1, argv + argc};
  if (!words.empty() && words[0] == "link") return tw::lab::link({words.begin() + 1, words.end()});
  if (words.size() == 1 && words[0] == "statistics") return tw::lab::statistics();
  std::fputs("usage: lab_bed link|statistics …\n", stderr);
  return tw::lab::wrong_usage;
}
