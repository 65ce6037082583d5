// The part of nftables' language that rules of ours are written in, as one transaction of netlink.
//
// Rules are written, tested and read as text; this turns the text into what the kernel takes. What
// the text means is what nft(8) says: a test gives the same text to both and compares what the
// kernel then lists.
//
//   add|delete|flush table FAMILY NAME [{ flags owner; }]
//   add chain FAMILY TABLE CHAIN { type T hook H priority P; }
//   add rule FAMILY TABLE CHAIN RULE
//   add element FAMILY TABLE SET { … }       flush set FAMILY TABLE SET
//   table FAMILY NAME { flags owner; counter …; set …; map …; chain …; }
//
// In a table's block everything that rules refer to is made before the first rule. `delete table`
// of what is not there is an error of the kernel's (add it first, in the same text).
#pragma once

#include <string_view>

#include "base/result.h"
#include "machine/nft/batch.h"

namespace tw::nft {

/// Text that is not understood is a `config` error that quotes it: a programmer's mistake, unless
/// names in it came from outside.
Result<Batch> compile(std::string_view text);

}  // namespace tw::nft
