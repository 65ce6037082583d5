// The fields that a rule can look at: how each is loaded into a register, and what it presupposes.
#pragma once

#include <cstdint>
#include <optional>

#include "machine/nft/batch.h"
#include "machine/nft/tokens.h"
#include "machine/nft/types.h"

namespace tw::nft {

/// The one register that rules of ours use.
inline constexpr std::uint32_t register_one = 1;

/// One expression in a list of them: `fill` writes its attributes.
template <typename Fill>
void add_expression(Attributes& list, std::string_view name, Fill&& fill);

enum class Source : std::uint8_t { meta, conntrack, network_header, transport_header, socket, fib };

struct Field {
  std::string_view words;  ///< "ip saddr", as it is written
  Type type;
  Source source;
  std::uint32_t key;         ///< of meta, ct, socket; the flags of fib; else an offset in octets
  std::uint8_t nfproto = 0;  ///< the family that a packet with this field is of; 0: any
  std::uint8_t l4proto = 0;
};

/// Takes the words of a field; none if they are no field's.
const Field* take_field(Cursor& cursor);
/// Loads it into register_one.
void load(const Field& field, Attributes& list);
/// Continues only if the register compares so (`NFT_CMP_…`) with the value.
void compare(std::uint32_t operation, ByteView value, Attributes& list);
/// register = (register & mask) ^ flip
void mask(ByteView mask, ByteView flip, Attributes& list);
void load_immediate(ByteView value, Attributes& list);

template <typename Fill>
void add_expression(Attributes& list, std::string_view name, Fill&& fill) {
  constexpr std::uint16_t list_element = 1, expression_name = 1, expression_data = 2;
  const std::size_t element = list.open_nest(list_element);
  list.text(expression_name, name);
  const std::size_t data = list.open_nest(expression_data);
  fill(list);
  list.close_nest(data);
  list.close_nest(element);
}

}  // namespace tw::nft
