#include "node/quick/hooks.h"

#include <fmt/format.h>

#include "node/quick/program.h"

namespace tw::node {
namespace {

std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string{"'\\''"} : std::string(1, c);
  return out + '\'';
}

std::string shell_list(const std::vector<std::string>& words) {
  std::string out = "(";
  for (const std::string& word : words) out += ' ' + shell_quoted(word);
  return out + " )";
}

std::string table_text(const QuickConf& conf) {
  if (!conf.table) return {};
  return *conf.table == 0 ? "off" : std::to_string(*conf.table);
}

}  // namespace

std::string hook_script(const QuickConf& conf) {
  std::vector<std::string> addresses;
  addresses.reserve(conf.tunnel.addresses.size());
  for (const InterfaceAddress& address : conf.tunnel.addresses) {
    addresses.push_back(fmt::format("{}/{}", address.address.text(), address.length));
  }
  return fmt::format(
      "export LC_ALL=C\n"
      "PROGRAM=wg-quick\n"
      "INTERFACE={}\n"
      "CONFIG_FILE={}\n"
      "ADDRESSES={}\n"
      "MTU={}\n"
      "DNS={}\n"
      "DNS_SEARCH={}\n"
      "TABLE={}\n"
      "SAVE_CONFIG={}\n"
      "cmd() {{ echo \"[#] $*\" >&2; \"$@\"; }}\n"
      "die() {{ echo \"$PROGRAM: $*\" >&2; exit 1; }}\n"
      "hook=$1\n"
      "set --\n"
      "eval \"$hook\"\n",
      shell_quoted(conf.tunnel.interface), shell_quoted(conf.path), shell_list(addresses),
      conf.has_mtu ? std::to_string(conf.tunnel.mtu) : "", shell_list(conf.name_servers),
      shell_list(conf.search_domains), table_text(conf), conf.save_config ? 1 : 0);
}

Result<void> run_hooks(const std::vector<std::string>& hooks, const QuickConf& conf,
                       Interrupts& interrupts) {
  if (hooks.empty()) return {};
  const std::string script = hook_script(conf);
  for (const std::string& hook : hooks) {
    tell("[#] " + hook);
    Result<void> done = run_program(
        {"bash", "-e", "-o", "pipefail", "-O", "extglob", "-c", script, "wg-quick", hook},
        std::nullopt, interrupts);
    if (!done) return done;
  }
  return {};
}

}  // namespace tw::node
