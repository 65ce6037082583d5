#include "node/clients/client_conf.h"

#include "node/config/config_file.h"

namespace tw::node {
namespace {

/// A string that grows leaves copies of what it held behind.
constexpr std::size_t room = 1024;

template <typename Values>
void add_list(std::string& out, std::string_view key, const Values& values) {
  if (values.empty()) return;
  std::string list;
  for (const auto& value : values) {
    list.append(list.empty() ? "" : ", ").append(value.text());
  }
  out.append(key).append(" = ").append(list).append("\n");
}

}  // namespace

std::string endpoint_name_text(const EndpointName& endpoint) {
  const bool is_v6 = endpoint.host.contains(':');
  return (is_v6 ? '[' + endpoint.host + ']' : endpoint.host) + ':' + std::to_string(endpoint.port);
}

std::string client_conf_text(const ClientConf& conf) {
  std::string head = "[Interface]\n# " + conf.name + "\n", rest;
  for (const IpAddress& address : conf.addresses) {
    rest +=
        (rest.empty() ? "Address = " : ", ") + address.text() + (address.is_v4() ? "/32" : "/128");
  }
  rest += '\n';
  add_list(rest, "DNS", conf.dns);
  if (conf.mtu != default_mtu) rest += "MTU = " + std::to_string(conf.mtu) + '\n';
  rest += "\n[Peer]\nPublicKey = " + crypto::key_to_base64(conf.server.bytes) + '\n';
  rest += "Endpoint = " + endpoint_name_text(conf.endpoint) + '\n';
  add_list(rest, "AllowedIPs", conf.routes);
  std::string out;
  out.reserve(room + head.size() + rest.size());
  out += head;
  if (conf.private_key == nullptr) {
    out += "# PrivateKey = the one that belongs to the public key of this client\n";
  } else {
    std::string key = crypto::key_to_base64(conf.private_key->view());
    out.append("PrivateKey = ").append(key).append("\n");
    wipe_text(key);
  }
  out += rest;
  return out;
}

}  // namespace tw::node
