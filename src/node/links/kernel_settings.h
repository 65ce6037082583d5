// Kernel settings of the whole machine that a node turns on: forwarding, and TCP Fast Open.
//
// They are shared by all nodes of a network namespace: each writes down in its journal what it
// needs, and the last one puts back what the first has found.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "machine/journal.h"
#include "wire/address.h"

namespace tw::node {

class KernelSettings {
 public:
  /// `tunnel` is the device that is never forwarded for by itself. `journal` must outlive this.
  KernelSettings(Journal& journal, std::string tunnel)
      : journal_(journal), tunnel_(std::move(tunnel)) {}

  /// Turns forwarding on for the families that it is not on for yet.
  Result<void> turn_on_forwarding(bool v4, bool v6);
  /// Lets listeners take data in a SYN if they ask for it: nobody else's behaviour changes. A
  /// machine whose settings cannot be changed does without, and the relay works all the same.
  void turn_on_fast_open();
  /// Takes note that settings which are false here have been undone (Journal::undo_entry).
  void undone_but(bool forward_v4, bool forward_v6, bool fast_open) noexcept;

  /// Returns true if turn_on_forwarding() has been asked for this family, and it stands.
  bool forwards(Family family) const noexcept {
    return family == Family::v4 ? forward_v4_ : forward_v6_;
  }
  /// Returns true if forwarding is, or will be, on because a node of this namespace has turned it
  /// on: nothing was forwarded before.
  bool opened(Family family) const;
  /// Returns the devices that IPv4 was forwarded for before us: as all nodes of the namespace have
  /// written down, and as we would find them now.
  std::vector<std::string> forwarded_before() const;

 private:
  std::vector<SysctlChange> devices_to_record(bool v4) const;
  std::vector<std::pair<std::string, std::string>> wanted(bool v4, bool v6) const;

  Journal& journal_;
  const std::string tunnel_;
  bool forward_v4_ = false, forward_v6_ = false, fast_open_ = false;
};

}  // namespace tw::node
