#include "node/config/config_socket.h"

#include <algorithm>

#include "node/config/config_file.h"
#include "node/config/config_tree.h"
#include "node/config/config_values.h"
#include "node/control/control_server.h"

namespace tw::node {
namespace {

const ConfigNode* child_of(const ConfigNode* table, std::string_view name,
                           ConfigNode::Kind kind) noexcept {
  if (table == nullptr) return nullptr;
  const auto found = std::ranges::find(table->children, name, &ConfigNode::name);
  return found == table->children.end() || found->kind != kind ? nullptr : &*found;
}

}  // namespace

Result<std::string> control_socket_of_file(const std::string& path) {
  using Kind = ConfigNode::Kind;
  auto text = read_config_file(path, WrittenBy::trusted);
  if (!text) return make_error(Error::Kind::config, text.error().text());
  const auto root = read_tree(*text, path);
  wipe_text(*text);
  if (!root) return make_error(Error::Kind::config, root.error().text());
  const ConfigNode* socket =
      child_of(child_of(&*root, "node", Kind::table), "control_socket", Kind::text);
  if (socket != nullptr && read_socket_path(socket->text)) return socket->text;
  const ConfigNode* interface =
      child_of(child_of(&*root, "tunnel", Kind::table), "interface", Kind::text);
  if (interface != nullptr && read_interface_name(interface->text)) {
    return default_control_socket(interface->text);
  }
  return make_error(Error::Kind::config,
                    path + ": names no [tunnel] interface, and so no node that may be running");
}

}  // namespace tw::node
