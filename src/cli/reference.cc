// thalweg reference: the keys of a configuration and what a change of them takes, as Markdown. The
// tables of docs/ are made by it (tools/reference).
#include <fmt/core.h>

#include <memory>
#include <string>

#include "cli/command.h"
#include "node/config/keys/key_list.h"
#include "node/report/metric_list.h"

namespace tw::cli {
namespace {

int print_keys(const std::string& table) {
  const std::string text = node::key_table(table);
  if (text.empty()) {
    fmt::print(stderr,
               "reference: there is no table \"{}\" — name one without brackets, such as "
               "relay.pool or peer\n",
               table);
    return exit_failed;
  }
  fmt::print("{}", text);
  return 0;
}

int print_all_keys() {
  std::string_view table;
  for (const node::KeyFacts& key : node::all_keys()) {
    if (key.table == table) continue;
    table = key.table;
    fmt::print("{}{}\n\n{}\n", key.repeated ? "[[" : "[",
               std::string{table} + (key.repeated ? "]]" : "]"), node::key_table(table));
  }
  return 0;
}

}  // namespace

void add_reference(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("reference", "Print what there is to configure, as Markdown");
  command->require_subcommand(1);
  auto table = std::make_shared<std::string>();
  CLI::App* keys = command->add_subcommand("keys", "The keys of a node's file");
  keys->add_option("TABLE", *table, "Only those of one table: relay.pool, peer");
  keys->callback(
      [table, &exit_code] { exit_code = table->empty() ? print_all_keys() : print_keys(*table); });
  command->add_subcommand("changes", "What a change of each key takes while a node runs")
      ->callback([&exit_code] {
        fmt::print("{}", node::change_table());
        exit_code = 0;
      });
  command->add_subcommand("metrics", "What a node counts, and by which names")
      ->callback([&exit_code] {
        fmt::print("{}", node::metric_table());
        exit_code = 0;
      });
}

}  // namespace tw::cli
