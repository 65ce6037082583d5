// The subcommands of `thalweg peer`: each declares its options below it.
#pragma once

#include <signal.h>

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/control/control_path.h"

namespace tw::cli {

void add_peer_add(CLI::App& peer, int& exit_code);     ///< peer_add.cc
void add_peer_list(CLI::App& peer, int& exit_code);    ///< peer_list.cc; `show` as well
void add_peer_change(CLI::App& peer, int& exit_code);  ///< peer_change.cc: `remove`, `rename`

/// Declares --interface, --socket and --config: names of peers are what stands without an option.
void add_peer_target(CLI::App& command, ControlTarget& target);

/// The error of a command that names a peer that is none of `names`.
std::unexpected<Error> no_such_peer(const std::string& name, const std::vector<std::string>& names);

/// The text() of each.
template <typename T>
std::vector<std::string> texts_of(const std::vector<T>& values) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const T& value : values) texts.push_back(value.text());
  return texts;
}

/// Says on stderr what went wrong, and returns the exit code for it.
int peer_failed(std::string_view command, const Error& error);

/// Signals wait while this lives: files are changed and a node is asked, both or neither.
class Undisturbed {
 public:
  Undisturbed() noexcept;
  ~Undisturbed();
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;

 private:
  ::sigset_t before_{};
};

}  // namespace tw::cli
