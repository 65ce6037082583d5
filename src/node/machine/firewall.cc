#include "node/machine/firewall.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>
#include <utility>

#include "base/unique_fd.h"

namespace tw::node {
namespace {

struct Freed {
  void operator()(nft_ctx* context) const noexcept { nft_ctx_free(context); }
};

// nftables says each problem with the line it stands in and a ruler below; one sentence will do.
std::string first_line(std::string_view text) {
  return std::string{text.substr(0, text.find('\n'))};
}

// libnftables' parser wants more stack than the metrics library gives its threads (100 KB).
template <typename Work>
Result<void> on_a_large_stack(Work&& work) {
  try {
    std::thread{work}.join();
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "thread for nftables");
  }
  return {};
}

}  // namespace

struct Firewall::Context {
  std::unique_ptr<nft_ctx, Freed> handle;

  Result<std::string> run(const std::string& commands, std::string_view doing) {
    if (nft_run_cmd_from_buffer(handle.get(), commands.c_str()) != 0) {
      const char* said = nft_ctx_get_error_buffer(handle.get());
      return make_error(Error::Kind::unavailable,
                        fmt::format("{}: nftables: {}", doing, first_line(said ? said : "failed")));
    }
    const char* output = nft_ctx_get_output_buffer(handle.get());
    return std::string{output ? output : ""};
  }
};

Firewall::Firewall(std::string device, std::unique_ptr<Context> context) noexcept
    : device_(std::move(device)), context_(std::move(context)) {}
Firewall::Firewall(Firewall&&) noexcept = default;
Firewall& Firewall::operator=(Firewall&&) noexcept = default;
Firewall::~Firewall() = default;

Result<Firewall> Firewall::open(std::string device) {
  if (!is_device_name(device)) {
    return make_error(
        Error::Kind::config,
        fmt::format("\"{}\" is no device name: 1 to 15 of a-z A-Z 0-9 _=+.-", device));
  }
  // libnftables ends the process where there is no nfnetlink: ask before it does.
  const UniqueFd probe{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)};
  if (!probe) return system_error("nftables: this kernel has no netfilter netlink (nfnetlink)");
  auto context = std::make_unique<Context>();
  context->handle.reset(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context->handle) return make_error(Error::Kind::exhausted, "nftables: out of memory");
  if (nft_ctx_buffer_error(context->handle.get()) != 0 ||
      nft_ctx_buffer_output(context->handle.get()) != 0) {
    return make_error(Error::Kind::exhausted, "nftables: out of memory");
  }
  return Firewall{std::move(device), std::move(context)};
}

Result<void> Firewall::apply(const FirewallSpec& spec) {
  if (spec.device != device_) {
    return make_error(Error::Kind::config,
                      fmt::format("firewall of {} given rules for {}", device_, spec.device));
  }
  auto ran = context_->run(render_firewall(spec), "set up the firewall of " + device_);
  if (!ran) return std::unexpected(ran.error());
  present_ = true;
  return {};
}

Result<void> Firewall::remove() {
  if (!present_) return {};
  auto ran = context_->run(fmt::format("delete table inet {}", firewall_table(device_)),
                           "remove the firewall of " + device_);
  if (!ran) return std::unexpected(ran.error());
  present_ = false;
  return {};
}

Result<std::vector<FirewallCount>> Firewall::counts() {
  std::vector<FirewallCount> counts;
  if (!present_) return counts;
  const std::string doing = "read the firewall counters of " + device_;
  Result<std::string> text;
  const auto list = [&] {
    nft_ctx_output_set_flags(context_->handle.get(), NFT_CTX_OUTPUT_JSON);
    text =
        context_->run(fmt::format("list counters table inet {}", firewall_table(device_)), doing);
    nft_ctx_output_set_flags(context_->handle.get(), 0);
  };
  if (auto ran = on_a_large_stack(list); !ran) return std::unexpected(ran.error());
  if (!text) return std::unexpected(text.error());
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object() || !json.contains("nftables") || !json["nftables"].is_array()) {
    return make_error(Error::Kind::unavailable, doing + ": not the JSON that was expected");
  }
  for (const auto& item : json["nftables"]) {
    if (!item.is_object() || !item.contains("counter")) continue;
    const auto& counter = item["counter"];
    const auto name = counter.find("name");
    const auto packets = counter.find("packets");
    const auto bytes = counter.find("bytes");
    if (name == counter.end() || !name->is_string() || packets == counter.end() ||
        !packets->is_number_unsigned() || bytes == counter.end() || !bytes->is_number_unsigned()) {
      continue;
    }
    counts.push_back(
        {name->get<std::string>(), packets->get<std::uint64_t>(), bytes->get<std::uint64_t>()});
  }
  return counts;
}

Result<void> Firewall::probe() {
  auto firewall = open("probe");
  if (!firewall) return std::unexpected(firewall.error());
  FirewallSpec spec;
  spec.device = "probe";
  spec.relay = spec.reject_quic = spec.clamp_mss = true;
  spec.policy = {{.action = relay::Action::relay}};
  spec.listen_port = 1;
  spec.leg_port = 2;
  spec.mark = 1;
  spec.own_addresses = {IpAddress::v4({192, 0, 2, 1}), *IpAddress::parse("2001:db8::1")};
  spec.pop_addresses = spec.own_addresses;
  spec.masquerade = {*Prefix::parse("192.0.2.0/24"), *Prefix::parse("2001:db8::/32")};
  nft_ctx_set_dry_run(firewall->context_->handle.get(), true);
  auto ran = firewall->context_->run(
      render_firewall(spec),
      "this kernel lacks part of nftables (needed: tables with an owner, tproxy, socket, ct, nat)");
  if (!ran) return std::unexpected(ran.error());
  return {};
}

}  // namespace tw::node
