#include "node/config/config_reader.h"

#include <algorithm>

namespace tw::node {
namespace {

using Kind = ConfigNode::Kind;

const ConfigNode& empty_table() noexcept {
  static const ConfigNode empty;
  return empty;
}

}  // namespace

TableReader::TableReader(const ConfigNode& table, std::string key, MistakeList& mistakes)
    : table_(&table), key_(std::move(key)), mistakes_(&mistakes) {}

std::string TableReader::key_of(std::string_view name) const {
  return key_.empty() ? std::string{name} : key_ + '.' + std::string{name};
}

std::string TableReader::element_key(std::string_view name, std::size_t index) const {
  return key_of(name) + '[' + std::to_string(index + 1) + ']';
}

const ConfigNode* TableReader::look_up(std::string_view name) const noexcept {
  const auto found = std::ranges::find(table_->children, name, &ConfigNode::name);
  return found == table_->children.end() ? nullptr : &*found;
}

const ConfigNode* TableReader::ask(std::string_view name) {
  asked_.emplace_back(name);
  const ConfigNode* node = look_up(name);
  if (node != nullptr) mistakes_->remember(key_of(name), node->place);
  return node;
}

void TableReader::say_kind(const std::string& key, std::string_view wanted, const ConfigNode& node,
                           std::string mend) {
  mistakes_->add_at(node.place, key,
                    "is " + std::string{kind_name(node.kind)} + ", not " + std::string{wanted},
                    std::move(mend));
}

bool TableReader::boolean(std::string_view name, bool& out) {
  const ConfigNode* node = ask(name);
  if (node == nullptr) return false;
  if (node->kind != Kind::boolean) {
    say_kind(key_of(name), "a boolean", *node, "write true or false, without quotes");
    return false;
  }
  out = node->boolean;
  return true;
}

bool TableReader::text(std::string_view name, std::string& out) {
  const ConfigNode* node = ask(name);
  if (node == nullptr) return false;
  const std::string* written = text_of(*node, key_of(name));
  if (written == nullptr) return false;
  out = *written;
  return true;
}

bool TableReader::number_text(std::string_view name, std::string& out) {
  const ConfigNode* node = look_up(name);
  if (node == nullptr || node->kind != Kind::integer) return false;
  ask(name);
  out = std::to_string(node->integer);
  return true;
}

const std::string* TableReader::text_of(const ConfigNode& node, const std::string& key) {
  if (node.kind == Kind::text) return &node.text;
  say_kind(key, "a string", node, "write one value, in quotes");
  return nullptr;
}

bool TableReader::number(std::string_view name, std::uint64_t& out, std::uint64_t lowest,
                         std::uint64_t highest, std::string_view unit) {
  const ConfigNode* node = ask(name);
  if (node == nullptr) return false;
  std::string range =
      "write a number from " + std::to_string(lowest) + " to " + std::to_string(highest);
  if (!unit.empty()) range.append(", in ").append(unit);
  if (node->kind != Kind::integer) {
    say_kind(key_of(name), "an integer", *node, range + ", without quotes");
    return false;
  }
  if (std::cmp_less(node->integer, lowest) || std::cmp_greater(node->integer, highest)) {
    mistakes_->add(key_of(name), std::to_string(node->integer) + " is out of range", range);
    return false;
  }
  out = static_cast<std::uint64_t>(node->integer);
  return true;
}

const ConfigNode* TableReader::elements(std::string_view name) {
  const ConfigNode* node = ask(name);
  if (node == nullptr) return nullptr;
  if (node->kind != Kind::list) {
    say_kind(key_of(name), "a list", *node, "write it in brackets: [\"…\", \"…\"]");
    return nullptr;
  }
  for (std::size_t i = 0; i < node->children.size(); ++i) {
    mistakes_->remember(element_key(name, i), node->children[i].place);
  }
  return node;
}

TableReader TableReader::table(std::string_view name) {
  const ConfigNode* node = ask(name);
  if (node != nullptr && node->kind != Kind::table) {
    say_kind(key_of(name), "a table", *node, "write [" + key_of(name) + "], once");
    node = nullptr;
  }
  return {node == nullptr ? empty_table() : *node, key_of(name), *mistakes_};
}

std::vector<TableReader> TableReader::tables(std::string_view name) {
  std::vector<TableReader> readers;
  const ConfigNode* node = ask(name);
  if (node == nullptr) return readers;
  const std::string mend = "write [[" + key_of(name) + "]], once for each";
  if (node->kind != Kind::list) {
    say_kind(key_of(name), "a list of tables", *node, mend);
    return readers;
  }
  for (std::size_t i = 0; i < node->children.size(); ++i) {
    const ConfigNode& element = node->children[i];
    std::string key = element_key(name, i);
    mistakes_->remember(key, element.place);
    if (element.kind == Kind::table) {
      readers.emplace_back(element, std::move(key), *mistakes_);
    } else {
      say_kind(key, "a table", element, mend);
    }
  }
  return readers;
}

void TableReader::require(std::string_view name, std::string mend) {
  if (!has(name)) mistakes_->add(key_of(name), "is missing", std::move(mend));
}

void TableReader::forbid(std::string_view name, std::string what, std::string mend) {
  const ConfigNode* node = look_up(name);
  if (node == nullptr) return;
  mistakes_->add_at(node->name_place, key_of(name), std::move(what), std::move(mend));
  asked_.emplace_back(name);
}

void TableReader::close() {
  for (const ConfigNode& node : table_->children) {
    if (std::ranges::find(asked_, node.name) != asked_.end()) continue;
    const bool is_table =
        node.kind == Kind::table || (node.kind == Kind::list && !node.children.empty() &&
                                     node.children.front().kind == Kind::table);
    // A name that is none may be anything, a key among them: it is shown as carefully as a value.
    const std::string text = shown(node.name);
    mistakes_->add_at(node.name_place, key_of(text.substr(1, text.size() - 2)),
                      is_table ? "unknown table" : "unknown key",
                      did_you_mean(node.name, asked_, "take it out, or see docs/configuration.md"));
  }
}

}  // namespace tw::node
