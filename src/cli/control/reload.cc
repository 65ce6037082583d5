// thalweg reload: a running node reads its file again, and says what became of it.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "cli/control/control_answer.h"
#include "cli/control/control_path.h"

namespace tw::cli {
namespace {

using Json = nlohmann::json;

struct Options {
  ControlTarget target;
  bool dry_run = false;
  bool json = false;
};

void print_done(const Json& answer, bool dry_run) {
  const auto changes = lines_of(answer, "changes");
  fmt::print("{}: {}{}\n", member(answer, "file", std::string{}),
             dry_run ? "has no mistakes; nothing was changed" : "reloaded",
             changes.empty() ? (dry_run ? ", and nothing would be" : "; nothing is different")
                             : (dry_run ? "; a reload would change" : ""));
  for (const std::string& change : changes) fmt::print("  {}\n", change);
  for (const std::string& key : lines_of(answer, "forgotten")) {
    fmt::print("  {}: {} set by hand, {} what the file says\n", key, dry_run ? "is" : "was",
               dry_run ? "would be" : "is now");
  }
  if (member(answer, "took_up_relay", false)) {
    fmt::print("  the relay was drained: it {} connections again\n",
               dry_run ? "would take" : "takes");
  }
  if (const auto count = member(answer, "connections_reset", std::uint64_t{0}); count > 0) {
    fmt::print("  {} relayed connections are reset: they are refused now\n", count);
  }
  if (const auto count = member(answer, "flows_ended", std::uint64_t{0}); count > 0) {
    fmt::print("  {} routed flows are ended: they are refused now\n", count);
  }
}

int reload(const Options& options) {
  Json request{{"command", "reload"}};
  if (options.dry_run) request["dry_run"] = true;
  const auto answer = ask_any("reload", options.target, request, reload_patience);
  if (!answer) return exit_failed;
  const bool failed = answer->contains("error");
  if (options.json) {
    fmt::print("{}\n", answer->dump(-1, ' ', false, Json::error_handler_t::replace));
    return failed ? exit_failed : 0;
  }
  // A node from before there was such an answer reloads whatever else is asked.
  if (options.dry_run && !failed && !member(*answer, "dry_run", false)) {
    fmt::print(stderr, "thalweg reload: this node is older than --dry-run: it has reloaded\n");
    return exit_failed;
  }
  if (!failed) {
    print_done(*answer, options.dry_run);
    return 0;
  }
  for (const std::string& mistake : lines_of(*answer, "mistakes")) {
    fmt::print(stderr, "{}\n", mistake);
  }
  fmt::print(stderr, "thalweg reload: {}\n", member(*answer, "error", answer->dump()));
  return exit_failed;
}

}  // namespace

void add_reload(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "reload", "Have a running node read its file again, and say what that changed");
  add_control_target(*command, options->target);
  command->add_flag("--dry-run", options->dry_run,
                    "Only read and check the file, and say what a reload would change");
  command->add_flag("--json", options->json, "The node's answer, as one JSON object");
  command->callback([options, &exit_code] { exit_code = reload(*options); });
}

}  // namespace tw::cli
