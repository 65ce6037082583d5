// Checks that the values of a configuration fit each other: duplicates, names that nobody has,
// parts that cannot work together. Each value is right by itself by then.
#pragma once

#include "node/config/config_mistakes.h"
#include "node/config/config_sections.h"

namespace tw::node {

/// Checks any tunnel, imported ones too: addresses, MTU, peers.
void check_tunnel(const ConfigDraft& draft, MistakeList& mistakes);
/// Checks the relay, its PoPs, and the groups that rules name.
void check_relay(const ConfigDraft& draft, MistakeList& mistakes);

}  // namespace tw::node
