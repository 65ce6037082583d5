#include "lab/demo/demo_config.h"

#include <fmt/format.h>

#include <initializer_list>

#include "crypto/primitives.h"

namespace tw::lab {
namespace {

constexpr std::uint16_t first_tunnel_port = 51820;
constexpr std::uint16_t first_relay_port = 9701;

std::string quoted(std::initializer_list<std::string> addresses) {
  std::string list;
  for (const std::string& address : addresses) {
    if (!address.empty()) list += fmt::format("{}\"{}/32\"", list.empty() ? "" : ", ", address);
  }
  return list;
}

std::string head(const PopPair& pair, const std::string& name, const std::string& device,
                 const std::string& overlay) {
  return fmt::format(
      "[node]\ncontrol_socket = \"{0}/{1}.sock\"\nremember_peers = false\n\n"
      "[tunnel]\ninterface = \"{2}\"\nprivate_key_file = \"{0}/{1}.key\"\nlisten_port = {3}\n"
      "addresses = [{4}]\n\n",
      pair.folder, name, device, pair.shape.tunnel_port(), quoted({overlay}));
}

std::string peer(std::string_view name, const Identity& identity, const std::string& allowed,
                 const std::string& endpoint) {
  std::string text =
      fmt::format("[[peer]]\nname = \"{}\"\npublic_key = \"{}\"\nallowed_ips = [{}]\n", name,
                  identity.public_key, allowed);
  if (!endpoint.empty()) text += fmt::format("endpoint = \"{}\"\n", endpoint);
  return text + "\n";
}

std::string relay(const OverlayShape& shape) {
  if (shape.relayed.empty()) return "";
  return fmt::format("[relay]\nenabled = true\nlisten_port = {}\nleg_port = {}\n{}\n",
                     shape.listen_port(), shape.leg_port(), shape.relay_switches);
}

std::string pop(const OverlayShape& shape, std::string_view name, const std::string& overlay,
                const std::string& routes) {
  if (shape.relayed.empty()) return "";
  return fmt::format(
      "[[pop]]\nname = \"{0}\"\npeer = \"{0}\"\noverlay_address = \"{1}\"\nroutes = [{2}]\n\n",
      name, overlay, routes);
}

std::string allow(const std::string& from, const std::string& target, std::string_view action) {
  if (target.empty()) return "";
  return fmt::format(
      "[[policy]]\nfrom = [{}]\nto = [{}]\nprotocol = \"tcp\"\nports = [80]\naction = \"{}\"\n\n",
      quoted({from}), quoted({target}), action);
}

/// The service that the tunnel between the PoPs carries unsplit; "" if none.
const std::string& onward(const OverlayShape& shape) {
  static const std::string none;
  return shape.onward_tunnel ? shape.tunnelled : none;
}

}  // namespace

std::string OverlayShape::client() const { return fmt::format("10.99.{}.2", 2 * nth); }
std::string OverlayShape::rc() const { return fmt::format("10.99.{}.1", 2 * nth); }
std::string OverlayShape::rs() const { return fmt::format("10.99.{}.1", 2 * nth + 1); }
std::uint16_t OverlayShape::tunnel_port() const noexcept {
  return static_cast<std::uint16_t>(first_tunnel_port + nth);
}
std::uint16_t OverlayShape::listen_port() const noexcept {
  return static_cast<std::uint16_t>(first_relay_port + 2 * nth);
}
std::uint16_t OverlayShape::leg_port() const noexcept {
  return static_cast<std::uint16_t>(listen_port() + 1);
}

std::string PopPair::rc_name() const { return fmt::format("rc{}", shape.nth); }
std::string PopPair::rs_name() const { return fmt::format("rs{}", shape.nth); }

Identity Identity::generate() {
  Identity identity{.private_key = crypto::generate_private_key(), .public_key = {}};
  identity.public_key = crypto::key_to_base64(crypto::public_key_of(identity.private_key).bytes);
  return identity;
}

std::string rc_config(const PopPair& pair) {
  const OverlayShape& shape = pair.shape;
  const std::string to_rs = fmt::format("{}:{}", address::rs, shape.tunnel_port());
  return head(pair, pair.rc_name(), pair.rc_device, shape.rc()) +
         peer("client", pair.client, quoted({shape.client()}), "") +
         peer("rs", pair.rs, quoted({shape.rs(), onward(shape)}), to_rs) +
         "[gateway]\nforward = true\n\n" + relay(shape) +
         pop(shape, "rs", shape.rs(), quoted({shape.relayed})) +
         allow(shape.client(), shape.relayed, "relay") +
         allow(shape.client(), shape.tunnelled, "route");
}

std::string rs_config(const PopPair& pair) {
  const OverlayShape& shape = pair.shape;
  const std::string& routed = onward(shape);
  const std::string allowed = quoted({shape.rc(), routed.empty() ? "" : shape.client()});
  return head(pair, pair.rs_name(), pair.rs_device, shape.rs()) +
         peer("rc", pair.rc, allowed, fmt::format("{}:{}", address::rc, shape.tunnel_port())) +
         (routed.empty() ? "" : "[gateway]\nforward = true\n\n") + relay(shape) +
         pop(shape, "rc", shape.rc(), "") + allow(shape.client(), shape.relayed, "relay") +
         allow(shape.client(), routed, "route");
}

}  // namespace tw::lab
