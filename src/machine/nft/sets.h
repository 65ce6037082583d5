// Sets and their elements, named ones and those that stand within a rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "machine/nft/batch.h"
#include "machine/nft/types.h"

namespace tw::nft {

struct TableName {
  std::uint8_t family = 0;  ///< NFPROTO_…
  std::string name;
};

struct SetSpec {
  std::string name;
  Type key = Type::mark;
  std::optional<Type> data{};  ///< a map from key to this
  std::uint32_t flags = 0;     ///< NFT_SET_…
  std::uint32_t size = 0;      ///< at most so many elements; 0: no bound
  std::uint32_t id = 0;        ///< of this transaction
};

struct Element {
  Range key;
  Octets data{};  ///< of a map
};

void add_set(Batch& batch, const TableName& table, const SetSpec& set, std::string_view source);
/// Adds to a set of this batch, or of an earlier one (`id` 0). Elements of an interval set must not
/// overlap, and if the set is constant they must not touch either: see joined().
void add_elements(Batch& batch, const TableName& table, const SetSpec& set,
                  std::vector<Element> elements, std::string_view source);
void flush_set(Batch& batch, const TableName& table, const std::string& set,
               std::string_view source);

/// Sorted; what touches or overlaps is one range.
std::vector<Element> joined(std::vector<Element> elements);

}  // namespace tw::nft
