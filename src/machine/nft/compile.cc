#include "machine/nft/compile.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "machine/nft/rule.h"
#include "machine/nft/sets.h"
#include "machine/nft/tokens.h"

namespace tw::nft {
namespace {

template <typename Value>
using Choice = std::pair<std::string_view, Value>;

constexpr std::array<Choice<std::uint8_t>, 3> families{
    {{"inet", NFPROTO_INET}, {"ip", NFPROTO_IPV4}, {"ip6", NFPROTO_IPV6}}};
constexpr std::array<Choice<std::uint32_t>, 5> hooks{{{"prerouting", NF_INET_PRE_ROUTING},
                                                      {"input", NF_INET_LOCAL_IN},
                                                      {"forward", NF_INET_FORWARD},
                                                      {"output", NF_INET_LOCAL_OUT},
                                                      {"postrouting", NF_INET_POST_ROUTING}}};
constexpr std::array<Choice<std::int32_t>, 5> priorities{
    {{"raw", -300}, {"mangle", -150}, {"dstnat", -100}, {"filter", 0}, {"srcnat", 100}}};

template <typename Value, std::size_t size>
std::optional<Value> choose(const std::array<Choice<Value>, size>& choices, std::string_view name) {
  const auto* found = std::ranges::find(choices, name, &Choice<Value>::first);
  if (found == choices.end()) return {};
  return found->second;
}

std::optional<std::int32_t> priority_of(std::string_view text) {
  if (auto named = choose(priorities, text)) return named;
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

// One run over a text.
class Compiler {
 public:
  explicit Compiler(std::string_view text) : tokens_(tokens_of(text)), cursor_(tokens_) {
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      lines_.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  }

  Result<Batch> run() {
    for (cursor_.skip_separators(); !cursor_.at_end(); cursor_.skip_separators()) {
      if (Result<void> done = read_command(); !done) return std::unexpected(done.error());
      if (!cursor_.at_statement_end()) return wrong("something is left over");
    }
    return std::move(batch_);
  }

 private:
  std::string_view source() const {
    const auto line = static_cast<std::size_t>(std::max(1, cursor_.peek().line));
    std::string_view text = line <= lines_.size() ? lines_[line - 1] : std::string_view{};
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    // A list of thousands of addresses is no help to whoever reads the error.
    constexpr std::size_t longest = 200;
    return text.substr(0, longest);
  }

  std::unexpected<Error> wrong(std::string_view what) const {
    return make_error(Error::Kind::config, fmt::format("nftables text: {} at \"{}\" in \"{}\"",
                                                       what, cursor_.peek().text, source()));
  }

  Result<void> read_table_name(TableName& table) {
    const auto family = choose(families, cursor_.peek().text);
    if (!family) return wrong("an unknown family");
    cursor_.take();
    table = {*family, cursor_.take().text};
    return {};
  }

  Result<void> read_command() {
    TableName table;
    if (cursor_.accept("table")) {
      if (Result<void> named = read_table_name(table); !named) return named;
      return read_block(table);
    }
    const std::string verb = cursor_.take().text, kind = cursor_.take().text;
    if (Result<void> named = read_table_name(table); !named) return named;
    if (kind == "table") return change_table(verb, table);
    if (kind == "set" && verb == "flush") {
      flush_set(batch_, table, cursor_.take().text, source());
      return {};
    }
    if (verb != "add") return wrong("an unknown command");
    const std::string name = cursor_.take().text;
    if (kind == "chain") {
      if (Result<void> read = read_chain_head(table, name); !read) return read;
      cursor_.skip_separators();
      return cursor_.accept("}") ? Result<void>{} : wrong("no end of the chain");
    }
    if (kind == "rule") return read_rule(table, name);
    if (kind == "element") return read_elements(table, name);
    return wrong("an unknown command");
  }

  Result<void> change_table(std::string_view verb, const TableName& table) {
    if (verb == "add") {
      std::uint32_t flags = 0;
      if (cursor_.accept("{")) {
        if (Result<void> read = read_flags(flags); !read) return read;
        cursor_.skip_separators();
        if (!cursor_.accept("}")) return wrong("no end of the table's flags");
      }
      add_table(table, flags);
      return {};
    }
    if (verb != "flush" && verb != "delete") return wrong("an unknown command");
    const bool flush = verb == "flush";
    batch_.begin(flush ? NFT_MSG_DELRULE : NFT_MSG_DELTABLE, 0, table.family, source());
    batch_.text(flush ? std::uint16_t{NFTA_RULE_TABLE} : std::uint16_t{NFTA_TABLE_NAME},
                table.name);
    batch_.end();
    return {};
  }

  void add_table(const TableName& table, std::uint32_t flags) {
    batch_.begin(NFT_MSG_NEWTABLE, NLM_F_CREATE, table.family, source());
    batch_.text(NFTA_TABLE_NAME, table.name);
    batch_.number(NFTA_TABLE_FLAGS, flags);
    batch_.end();
  }

  Result<void> read_flags(std::uint32_t& flags) {
    if (!cursor_.accept("flags") || !cursor_.accept("owner")) return wrong("unknown flags");
    flags |= NFT_TABLE_F_OWNER;
    return {};
  }

  // Rules are read last, from where they stand: they refer to what may stand below them.
  Result<void> read_block(const TableName& table) {
    if (!cursor_.accept("{")) return wrong("a table without its block");
    std::vector<std::pair<std::string, Cursor>> chains;
    for (cursor_.skip_separators(); !cursor_.accept("}"); cursor_.skip_separators()) {
      std::uint32_t flags = 0;
      Result<void> read;
      if (cursor_.peek().text == "flags") {
        read = read_flags(flags);  // said when the table was added
      } else if (cursor_.accept("counter")) {
        read = read_counter(table);
      } else if (cursor_.peek().text == "set" || cursor_.peek().text == "map") {
        read = read_set(table);
      } else if (cursor_.accept("chain")) {
        const std::string name = cursor_.take().text;
        read = read_chain_head(table, name);
        chains.emplace_back(name, cursor_);
        while (read && !cursor_.at_end() && !at_block_end()) cursor_.take();
        cursor_.take();
      } else {
        return wrong("an unknown part of a table");
      }
      if (!read) return read;
    }
    const Cursor after = cursor_;
    for (const auto& [name, rules] : chains) {
      cursor_ = rules;
      for (cursor_.skip_separators(); !at_block_end(); cursor_.skip_separators()) {
        if (Result<void> read = read_rule(table, name); !read) return read;
      }
    }
    cursor_ = after;
    return {};
  }

  // A '}' that stands first in its statement ends the chain; within a rule it ends a set.
  bool at_block_end() {
    if (cursor_.at_end()) return true;
    if (cursor_.peek().quoted || cursor_.peek().text != "}") return false;
    return cursor_.follows_separator();
  }

  Result<void> read_counter(const TableName& table) {
    const std::string name = cursor_.take().text;
    if (!cursor_.accept("{") || !cursor_.accept("}")) return wrong("a counter without braces");
    batch_.begin(NFT_MSG_NEWOBJ, NLM_F_CREATE, table.family, source());
    batch_.text(NFTA_OBJ_TABLE, table.name);
    batch_.text(NFTA_OBJ_NAME, name);
    batch_.number(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
    const std::size_t nest = batch_.open_nest(NFTA_OBJ_DATA);
    batch_.close_nest(nest);
    batch_.end();
    return {};
  }

  // set NAME { type T; flags interval; size N; }  map NAME { type T : T; … }
  Result<void> read_set(const TableName& table) {
    const bool is_map = cursor_.take().text == "map";
    SetSpec set{.name = cursor_.take().text, .id = next_set_id_++};
    if (!cursor_.accept("{")) return wrong("a set without its block");
    for (cursor_.skip_separators(); !cursor_.accept("}"); cursor_.skip_separators()) {
      if (cursor_.accept("type")) {
        const auto key = type_named(cursor_.take().text);
        if (!key) return wrong("an unknown type");
        set.key = *key;
        if (!is_map) continue;
        if (!cursor_.accept(":")) return wrong("a map to nothing");
        set.data = type_named(cursor_.take().text);
        if (!set.data) return wrong("an unknown type");
      } else if (cursor_.accept("flags")) {
        if (cursor_.accept("interval")) {
          set.flags |= NFT_SET_INTERVAL;
        } else if (cursor_.accept("dynamic")) {
          set.flags |= NFT_SET_EVAL;
        } else {
          return wrong("unknown flags");
        }
      } else if (cursor_.accept("size")) {
        const std::string size = cursor_.take().text;
        std::from_chars(size.data(), size.data() + size.size(), set.size);
      } else {
        return wrong("an unknown part of a set");
      }
    }
    add_set(batch_, table, set, source());
    sets_[{table.family, table.name + "\n" + set.name}] = set;
    return {};
  }

  Result<void> read_elements(const TableName& table, const std::string& name) {
    const auto found = sets_.find({table.family, table.name + "\n" + name});
    if (found == sets_.end()) return wrong("elements of a set that this text does not declare");
    const SetSpec& set = found->second;
    if (!cursor_.accept("{")) return wrong("elements without braces");
    std::vector<Element> elements;
    while (!cursor_.accept("}")) {
      auto key = parse_range(set.key, cursor_.take().text);
      if (!key) return wrong("no value of this kind");
      Element element{std::move(*key), {}};
      if (set.data) {
        if (!cursor_.accept(":")) return wrong("an element of a map without its value");
        auto data = parse_range(*set.data, cursor_.take().text);
        if (!data) return wrong("no value of this kind");
        element.data = std::move(data->first);
      }
      elements.push_back(std::move(element));
      cursor_.accept(",");
    }
    add_elements(batch_, table, set, std::move(elements), source());
    return {};
  }

  // CHAIN { [type T hook H priority P;] [policy accept;]   and leaves the cursor at the first rule.
  Result<void> read_chain_head(const TableName& table, const std::string& name) {
    const bool in_block = cursor_.accept("{");
    cursor_.skip_separators();
    std::string type;
    std::optional<std::uint32_t> hook;
    std::optional<std::int32_t> priority;
    if (in_block && cursor_.accept("type")) {
      type = cursor_.take().text;
      if (!cursor_.accept("hook")) return wrong("a chain without a hook");
      hook = choose(hooks, cursor_.take().text);
      if (!cursor_.accept("priority")) return wrong("a chain without a priority");
      priority = priority_of(cursor_.take().text);
      if (!hook || !priority) return wrong("an unknown hook or priority");
      cursor_.skip_separators();
      if (cursor_.accept("policy") && !cursor_.accept("accept")) return wrong("an unknown policy");
    }
    batch_.begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE, table.family, source());
    batch_.text(NFTA_CHAIN_TABLE, table.name);
    batch_.text(NFTA_CHAIN_NAME, name);
    if (hook) {
      const std::size_t nest = batch_.open_nest(NFTA_CHAIN_HOOK);
      batch_.number(NFTA_HOOK_HOOKNUM, *hook);
      batch_.number(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(*priority));
      batch_.close_nest(nest);
      batch_.number(NFTA_CHAIN_POLICY, NF_ACCEPT);
      batch_.text(NFTA_CHAIN_TYPE, type);
    }
    batch_.end();
    return {};
  }

  Result<void> read_rule(const TableName& table, const std::string& chain) {
    const std::string_view line = source();
    RuleReader rule(cursor_, batch_, table, next_set_id_, line);
    if (Result<void> read = rule.read(); !read) return read;
    batch_.begin(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, table.family, line);
    batch_.text(NFTA_RULE_TABLE, table.name);
    batch_.text(NFTA_RULE_CHAIN, chain);
    const std::size_t nest = batch_.open_nest(NFTA_RULE_EXPRESSIONS);
    batch_.append(rule.expressions());
    batch_.close_nest(nest);
    batch_.end();
    return {};
  }

  std::vector<Token> tokens_;
  Cursor cursor_;
  std::vector<std::string_view> lines_;
  Batch batch_;
  std::uint32_t next_set_id_ = 1;
  std::map<std::pair<std::uint8_t, std::string>, SetSpec> sets_;
};

}  // namespace

Result<Batch> compile(std::string_view text) { return Compiler{text}.run(); }

}  // namespace tw::nft
