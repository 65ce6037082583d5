#include "node/quick/quick.h"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "base/file/new_file.h"
#include "base/log.h"
#include "node/quick/hooks.h"
#include "node/quick/program.h"
#include "node/quick/quick_device.h"
#include "node/quick/quick_network.h"

namespace tw::node {
namespace {

/// Returns the name by which resolvconf knows an interface's name servers: Debian sorts them by
/// prefixes.
std::string resolvconf_name(const std::string& interface) {
  std::ifstream order{"/etc/resolvconf/interface-order"};
  for (std::string line; std::getline(order, line);) {
    const bool is_prefix = line.size() > 1 && line.back() == '*' &&
                           line.find_first_not_of(
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                               "uvwxyz0123456789-") == line.size() - 1;
    if (is_prefix) return fmt::format("{}.{}", line.substr(0, line.size() - 1), interface);
  }
  return interface;
}

Result<void> set_dns(const QuickConf& conf, Interrupts& interrupts) {
  if (!has_program("resolvconf")) {
    log::warning("{}: DNS is left as it is: there is no resolvconf here (install openresolv)",
                 conf.tunnel.interface);
    return {};
  }
  std::string text;
  for (const std::string& server : conf.name_servers)
    text += fmt::format("nameserver {}\n", server);
  std::string domains;
  for (const std::string& domain : conf.search_domains) domains += " " + domain;
  if (!domains.empty()) text += fmt::format("search{}\n", domains);
  return run_program({"resolvconf", "-a", resolvconf_name(conf.tunnel.interface), "-m", "0", "-x"},
                     text, interrupts);
}

Result<void> unset_dns(const QuickConf& conf, Interrupts& interrupts) {
  if (conf.name_servers.empty() || !has_program("resolvconf")) return {};
  return run_program({"resolvconf", "-d", resolvconf_name(conf.tunnel.interface), "-f"},
                     std::string{}, interrupts);
}

/// A link-local address that nobody asked for: the kernel gives a TUN one, anew each time.
bool is_the_kernels(const QuickConf& conf, const InterfaceAddress& address) {
  return address.address.is_link_local() &&
         std::ranges::find(conf.tunnel.addresses, address) == conf.tunnel.addresses.end();
}

/// The addresses that the interface has now, name servers, and what the device does not know of.
Result<std::string> saved_head(const QuickConf& conf, Netlink& netlink) {
  const Result<LinkState> link = netlink.links.link(conf.tunnel.interface);
  if (!link) return std::unexpected(link.error());
  const auto addresses = netlink.links.addresses();
  if (!addresses) return std::unexpected(addresses.error());
  std::string head;
  for (const DeviceAddress& local : *addresses) {
    if (local.link_index != link->index || is_the_kernels(conf, local.address)) continue;
    head += fmt::format("Address = {}/{}\n", local.address.address.text(), local.address.length);
  }
  for (const auto* words : {&conf.name_servers, &conf.search_domains}) {
    for (const std::string& word : *words) head += fmt::format("DNS = {}\n", word);
  }
  if (conf.has_mtu) head += fmt::format("MTU = {}\n", link->mtu);
  return head + conf.extras;
}

Result<void> save(const QuickConf& conf, Netlink& netlink) {
  const Result<std::string> head = saved_head(conf, netlink);
  if (!head) return std::unexpected(head.error());
  const Result<SecretText> text = device_conf(conf.tunnel.interface, *head);
  if (!text) return std::unexpected(text.error());
  return replace_file(conf.path, text->view());
}

/// Everything that `up` makes, step by step. A signal ends it after the step that it came in.
class Up {
 public:
  Up(const QuickConf& conf, QuickNetwork& network, Interrupts& interrupts)
      : conf_(conf), network_(network), interrupts_(interrupts) {}

  Result<void> make() {
    const std::string& interface = conf_.tunnel.interface;
    Result<void> done = start_device(interface, interrupts_);
    then(done, [&] { return configure_device(conf_, interrupts_); });
    then(done, [&] { return network_.set_up(); });
    then(done, [&] { return set_name_servers(); });
    then(done, [&] { return network_.add_routes(); });
    then(done, [&] { return run_hooks(conf_.hooks.post_up, conf_, interrupts_); });
    then(done, [] { return Result<void>{}; });
    return done;
  }

  /// Takes down what there is. The first error is the one to tell.
  void undo() {
    interrupts_.received();  // so that only a further signal ends what is run now
    if (has_dns_) static_cast<void>(unset_dns(conf_, interrupts_));
    static_cast<void>(network_.remove());
    await_end(conf_.tunnel.interface);
  }

 private:
  template <typename Step>
  void then(Result<void>& done, Step step) {
    if (done && interrupts_.received() != 0) done = std::unexpected(interrupts_.error());
    if (done) done = step();
  }

  Result<void> set_name_servers() {
    if (conf_.name_servers.empty()) return {};
    has_dns_ = true;  // also if it fails half-way
    return set_dns(conf_, interrupts_);
  }

  const QuickConf& conf_;
  QuickNetwork& network_;
  Interrupts& interrupts_;
  bool has_dns_ = false;
};

}  // namespace

Result<void> quick_up(const QuickConf& conf, Interrupts& interrupts) {
  Result<QuickNetwork> network = QuickNetwork::open(conf);
  if (!network) return std::unexpected(network.error());
  if (network->has_link()) {
    return make_error(Error::Kind::config,
                      fmt::format("{0} exists already: take it down first (thalweg wg down {1})",
                                  conf.tunnel.interface, conf.path));
  }
  if (Result<void> done = run_hooks(conf.hooks.pre_up, conf, interrupts); !done) return done;
  Up up{conf, *network, interrupts};
  Result<void> done = up.make();
  if (!done) up.undo();
  return done;
}

Result<void> quick_down(const QuickConf& conf, Interrupts& interrupts) {
  const std::string& interface = conf.tunnel.interface;
  Result<QuickNetwork> network = QuickNetwork::open(conf);
  if (!network) return std::unexpected(network.error());
  const bool is_up = network->has_link();
  if (is_up && !device_answers(interface)) {
    return make_error(Error::Kind::config,
                      fmt::format("{} is no device of a user-space WireGuard: if it is the "
                                  "kernel's, wg-quick takes it down",
                                  interface));
  }
  Result<void> first;
  const auto note = [&first](Result<void> done) {
    if (first && !done) first = std::move(done);
  };
  if (is_up) {
    // A hook that refuses keeps the tunnel, as with wg-quick; so does a signal, up to here.
    if (Result<void> done = run_hooks(conf.hooks.pre_down, conf, interrupts); !done) return done;
    if (interrupts.received() != 0) return std::unexpected(interrupts.error());
    if (conf.save_config) {
      if (Result<void> done = save(conf, network->netlink()); !done) return done;
    }
  }
  note(network->remove());
  if (!is_up && !network->found_leftovers()) {
    // A device that was killed leaves no other trace than this one, if it had no default route.
    static_cast<void>(unset_dns(conf, interrupts));
    return make_error(Error::Kind::config, interface + " is not up");
  }
  await_end(interface);
  note(unset_dns(conf, interrupts));
  note(run_hooks(conf.hooks.post_down, conf, interrupts));
  return first;
}

}  // namespace tw::node
