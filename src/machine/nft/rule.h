// One rule of nftables text as the expressions of nf_tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "machine/nft/batch.h"
#include "machine/nft/fields.h"
#include "machine/nft/sets.h"
#include "machine/nft/tokens.h"

namespace tw::nft {

/// Reads one rule, up to the end of its statement. What stands in braces becomes a set of the
/// batch's own, ahead of the rule.
class RuleReader {
 public:
  /// `source` is what errors quote. `next_set_id` goes up with each set.
  RuleReader(Cursor& cursor, Batch& batch, const TableName& table, std::uint32_t& next_set_id,
             std::string_view source)
      : cursor_(cursor), batch_(batch), table_(table), next_set_id_(next_set_id), source_(source) {}
  Result<void> read();
  const Attributes& expressions() const noexcept { return list_; }

 private:
  std::unexpected<Error> wrong(std::string_view what) const;
  Result<void> read_part();
  bool next_is(std::string_view first, std::string_view second) const;
  Result<bool> read_verdict();
  Result<bool> read_statement();
  Result<void> read_match();
  Result<void> read_masked(const Field& field);
  Result<void> read_flags(const Field& field, bool inverted);
  Result<void> read_value(const Field& field, bool inverted);
  Result<void> read_set(const Field& field, bool inverted);
  Result<void> read_lookup(const Field& field, bool inverted);
  Result<void> read_counter();
  Result<void> read_counted();
  Result<void> read_tproxy();
  Result<void> read_clamp();
  Result<void> read_setting(bool of_conntrack);
  Result<void> read_reject();
  Result<Octets> read_octets(Type type);
  void presuppose(const Field& field);
  void require(std::uint32_t meta_key, std::uint8_t value, std::uint8_t& known);
  void add_verdict(std::int32_t code, std::string_view chain = {});
  void turn_round(std::uint32_t octets);
  void look_up(const std::string& set, std::uint32_t id, bool inverted);

  Cursor& cursor_;
  Batch& batch_;
  const TableName& table_;
  std::uint32_t& next_set_id_;
  std::string_view source_;
  Attributes list_;
  std::uint8_t nfproto_ = 0, l4proto_ = 0;  // that the packet is known to be of; 0: not known
};

}  // namespace tw::nft
