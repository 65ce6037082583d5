#include "machine/nft/sets.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace tw::nft {
namespace {

// A nest has at most 64 KB, and an element about 60 bytes.
constexpr std::size_t elements_a_message = 500;

void put_data(Batch& batch, std::uint16_t attribute, const Octets& value) {
  const std::size_t nest = batch.open_nest(attribute);
  batch.bytes(NFTA_DATA_VALUE, value);
  batch.close_nest(nest);
}

// nft leaves a note with each set, and without it would list values turned round: which are in host
// order. Kind, length and value, as libnftnl has it.
void put_byte_orders(Batch& batch, const SetSpec& set) {
  constexpr std::uint8_t of_key = 0, of_data = 1, host_order = 1, network_order = 2;
  std::vector<std::uint8_t> note;
  const auto add = [&note](std::uint8_t what, Type type) {
    const std::uint32_t order = is_big_endian(type) ? network_order : host_order;
    note.insert(note.end(), {what, sizeof order});
    note.resize(note.size() + sizeof order);
    std::memcpy(&note[note.size() - sizeof order], &order, sizeof order);
  };
  add(of_key, set.key);
  if (set.data) add(of_data, *set.data);
  batch.bytes(NFTA_SET_USERDATA, note);
}

struct Item {
  const Octets* key;
  const Octets* data = nullptr;
  bool is_end = false;
};

void put_item(Batch& batch, const Item& item) {
  const std::size_t nest = batch.open_nest(NFTA_LIST_ELEM);
  put_data(batch, NFTA_SET_ELEM_KEY, *item.key);
  if (item.data != nullptr) put_data(batch, NFTA_SET_ELEM_DATA, *item.data);
  if (item.is_end) batch.number(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
  batch.close_nest(nest);
}

void put_items(Batch& batch, const TableName& table, const SetSpec& set,
               const std::vector<Item>& items, std::string_view source) {
  for (std::size_t at = 0; at < items.size(); at += elements_a_message) {
    batch.begin(NFT_MSG_NEWSETELEM, NLM_F_CREATE, table.family, source);
    batch.text(NFTA_SET_ELEM_LIST_TABLE, table.name);
    batch.text(NFTA_SET_ELEM_LIST_SET, set.name);
    if (set.id != 0) batch.number(NFTA_SET_ELEM_LIST_SET_ID, set.id);
    const std::size_t list = batch.open_nest(NFTA_SET_ELEM_LIST_ELEMENTS);
    const std::size_t end = std::min(items.size(), at + elements_a_message);
    for (std::size_t i = at; i < end; ++i) put_item(batch, items[i]);
    batch.close_nest(list);
    batch.end();
  }
}

}  // namespace

void add_set(Batch& batch, const TableName& table, const SetSpec& set, std::string_view source) {
  batch.begin(NFT_MSG_NEWSET, NLM_F_CREATE, table.family, source);
  batch.text(NFTA_SET_TABLE, table.name);
  batch.text(NFTA_SET_NAME, set.name);
  batch.number(NFTA_SET_FLAGS, set.flags | (set.data ? std::uint32_t{NFT_SET_MAP} : 0U));
  batch.number(NFTA_SET_KEY_TYPE, std::to_underlying(set.key));
  batch.number(NFTA_SET_KEY_LEN, static_cast<std::uint32_t>(size_of(set.key)));
  if (set.data) {
    batch.number(NFTA_SET_DATA_TYPE, std::to_underlying(*set.data));
    batch.number(NFTA_SET_DATA_LEN, static_cast<std::uint32_t>(size_of(*set.data)));
  }
  batch.number(NFTA_SET_ID, set.id);
  put_byte_orders(batch, set);
  if (set.size != 0) {
    const std::size_t nest = batch.open_nest(NFTA_SET_DESC);
    batch.number(NFTA_SET_DESC_SIZE, set.size);
    batch.close_nest(nest);
  }
  batch.end();
}

void add_elements(Batch& batch, const TableName& table, const SetSpec& set,
                  std::vector<Element> elements, std::string_view source) {
  const bool interval = (set.flags & NFT_SET_INTERVAL) != 0;
  std::ranges::sort(elements, {}, [](const Element& one) { return one.key.first; });
  std::vector<Octets> ends;
  ends.reserve(elements.size());
  std::vector<Item> items;
  for (const Element& element : elements) {
    items.push_back({&element.key.first, set.data ? &element.data : nullptr, false});
    if (!interval) continue;
    // The end is the first value beyond; beyond the last of all there is none, and none is needed.
    if (auto beyond = successor(element.key.last)) {
      ends.push_back(std::move(*beyond));
      items.push_back({&ends.back(), nullptr, true});
    }
  }
  put_items(batch, table, set, items, source);
}

void flush_set(Batch& batch, const TableName& table, const std::string& set,
               std::string_view source) {
  batch.begin(NFT_MSG_DELSETELEM, 0, table.family, source);
  batch.text(NFTA_SET_ELEM_LIST_TABLE, table.name);
  batch.text(NFTA_SET_ELEM_LIST_SET, set);
  batch.end();
}

std::vector<Element> joined(std::vector<Element> elements) {
  std::ranges::sort(elements, {}, [](const Element& one) { return one.key.first; });
  std::vector<Element> together;
  for (Element& element : elements) {
    if (!together.empty()) {
      Range& last = together.back().key;
      const auto beyond = successor(last.last);
      if (!beyond || element.key.first <= *beyond) {
        last.last = std::max(last.last, element.key.last);
        continue;
      }
    }
    together.push_back(std::move(element));
  }
  return together;
}

}  // namespace tw::nft
