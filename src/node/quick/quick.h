// `wg-quick up` and `down`, but always with Thalweg's device: addresses, MTU, routes, name servers,
// hooks and a saved configuration as wg-quick(8) has them. Rules are journalled before they are
// made (machine/journal.h), so that `down` finds them after a kill; all else goes with the
// interface, or is found by its name.
#pragma once

#include "base/result.h"
#include "node/quick/interrupts.h"
#include "node/quick/quick_conf.h"

namespace tw::node {

/// Everything, or an error and nothing: what was made half-way is undone, also when a signal comes.
/// Blocks: for hooks as long as they take. Needs root.
Result<void> quick_up(const QuickConf& conf, Interrupts& interrupts);
/// Also after the device was killed: then only what it left is removed. Goes on past what fails,
/// and returns the first error; but a PreDown hook that fails keeps the tunnel, and so does a
/// signal that comes before anything is taken down. Later signals end only the hooks.
Result<void> quick_down(const QuickConf& conf, Interrupts& interrupts);

}  // namespace tw::node
