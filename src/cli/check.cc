// thalweg check: says what is wrong with a configuration, or turns a wg-quick one into ours.
#include <fmt/core.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/leftovers.h"
#include "node/config/config.h"
#include "node/config/config_advice.h"
#include "node/config/import/conf_import.h"

namespace tw::cli {
namespace {

struct CheckOptions {
  std::string config_file;
  std::string import_file;
  bool json = false;
};

void print_mistakes(const std::vector<node::ConfigMistake>& mistakes) {
  for (const node::ConfigMistake& mistake : mistakes) {
    fmt::print(stderr, "{}\n", mistake.text());
  }
  fmt::print(stderr, "{} mistake{}\n", mistakes.size(), mistakes.size() == 1 ? "" : "s");
}

nlohmann::ordered_json json_of(const std::vector<node::ConfigMistake>& mistakes) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const node::ConfigMistake& mistake : mistakes) {
    list.push_back({{"file", mistake.file},
                    {"line", mistake.line},
                    {"column", mistake.column},
                    {"key", mistake.key},
                    {"what", mistake.what},
                    {"mend", mistake.mend}});
  }
  return list;
}

void print_mistakes_json(const std::vector<node::ConfigMistake>& mistakes,
                         const std::vector<node::ConfigMistake>& warnings) {
  nlohmann::ordered_json json{{"ok", mistakes.empty()}, {"mistakes", json_of(mistakes)}};
  if (!warnings.empty()) json["warnings"] = json_of(warnings);
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

int check(const CheckOptions& options) {
  const auto config = node::load_config(options.config_file);
  const std::vector<node::ConfigMistake> mistakes =
      config ? std::vector<node::ConfigMistake>{} : config.error();
  const std::vector<node::ConfigMistake> warnings =
      config ? node::advice_on(*config, options.config_file) : std::vector<node::ConfigMistake>{};
  for (const node::ConfigMistake& warning : warnings) {
    if (!options.json) fmt::print(stderr, "warning: {}\n", warning.text());
  }
  if (options.json) {
    print_mistakes_json(mistakes, warnings);
  } else if (!mistakes.empty()) {
    print_mistakes(mistakes);
  } else {
    fmt::print("{}: good ({} peer{}, {} PoP{}, {} polic{})\n", options.config_file,
               config->peers.size(), config->peers.size() == 1 ? "" : "s", config->pops.size(),
               config->pops.size() == 1 ? "" : "s", config->policy.size(),
               config->policy.size() == 1 ? "y rule" : "y rules");
    warn_of_leftovers();
  }
  return mistakes.empty() ? 0 : exit_failed;
}

int import(const CheckOptions& options) {
  const auto text = node::import_conf_file(options.import_file);
  if (!text) {
    print_mistakes(text.error());
    return exit_failed;
  }
  fmt::print("{}", *text);
  return 0;
}

}  // namespace

void add_check(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command = app.add_subcommand("check", "Validate a configuration; change nothing");
  auto* what = command->add_option_group("what to read");
  what->add_option("-c,--config", options->config_file, "TOML file of a node")->type_name("FILE");
  what->add_option("--import", options->import_file,
                   "wg-quick file: print it as TOML, without its keys")
      ->type_name("FILE.conf");
  what->require_option(1);
  command->add_flag("--json", options->json, "Mistakes and warnings as JSON");
  command->callback([options, &exit_code] {
    exit_code = options->import_file.empty() ? check(*options) : import(*options);
  });
}

}  // namespace tw::cli
