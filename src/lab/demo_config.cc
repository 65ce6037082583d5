#include "lab/demo_config.h"

#include <fmt/format.h>

#include "crypto/primitives.h"
#include "lab/topology.h"

namespace tw::lab {
namespace {

std::string head(const PopPair& pair, std::string_view name, const std::string& device,
                 const char* overlay) {
  return fmt::format(
      "[node]\ncontrol_socket = \"{0}/{1}.sock\"\n\n"
      "[tunnel]\ninterface = \"{2}\"\nprivate_key_file = \"{0}/{1}.key\"\nlisten_port = {3}\n"
      "addresses = [\"{4}/32\"]\n\n",
      pair.folder, name, device, tunnel_port, overlay);
}

std::string peer(std::string_view name, const Identity& identity, const char* overlay,
                 const char* underlay) {
  std::string text =
      fmt::format("[[peer]]\nname = \"{}\"\npublic_key = \"{}\"\nallowed_ips = [\"{}/32\"]\n", name,
                  identity.public_key, overlay);
  if (underlay != nullptr) text += fmt::format("endpoint = \"{}:{}\"\n", underlay, tunnel_port);
  return text + "\n";
}

std::string pop(std::string_view name, const char* overlay, const std::string& routes) {
  return fmt::format(
      "[[pop]]\nname = \"{0}\"\npeer = \"{0}\"\noverlay_address = \"{1}\"\nroutes = [{2}]\n\n",
      name, overlay, routes);
}

std::string allow(const std::string& from, const char* target, std::string_view action) {
  return fmt::format(
      "[[policy]]\nfrom = [\"{}\"]\nto = [\"{}/32\"]\nprotocol = \"tcp\"\nports = [80]\n"
      "action = \"{}\"\n\n",
      from, target, action);
}

}  // namespace

Identity Identity::generate() {
  Identity identity{.private_key = crypto::generate_private_key(), .public_key = {}};
  identity.public_key = crypto::key_to_base64(crypto::public_key_of(identity.private_key).bytes);
  return identity;
}

std::string rc_config(const PopPair& pair) {
  return head(pair, "rc", pair.rc_device, address::rc_overlay) +
         peer("client", pair.client, address::client_overlay, nullptr) +
         peer("rs", pair.rs, address::rs_overlay, address::rs) +
         "[gateway]\nforward = true\n\n[relay]\nenabled = true\n\n" +
         pop("rs", address::rs_overlay, fmt::format("\"{}/32\"", address::service_relayed)) +
         allow("client", address::service_relayed, "relay") +
         allow("client", address::service_tunnelled, "route");
}

std::string rs_config(const PopPair& pair) {
  return head(pair, "rs", pair.rs_device, address::rs_overlay) +
         peer("rc", pair.rc, address::rc_overlay, address::rc) + "[relay]\nenabled = true\n\n" +
         pop("rc", address::rc_overlay, "") +
         allow(fmt::format("{}/32", address::client_overlay), address::service_relayed, "relay");
}

}  // namespace tw::lab
