// A descriptor in reserve, for whoever accepts connections: when none are left it is given up for
// the moment in which a connection is accepted to be closed. Without it a listener that cannot
// accept stays readable, and its loop spins.
#pragma once

#include "base/unique_fd.h"

namespace tw {

class SpareFd {
 public:
  /// Opens it, unless it is open. May fail, in silence: then there is none to give up.
  void keep() noexcept;
  /// False if there was none.
  bool give_up() noexcept;

 private:
  UniqueFd fd_;
};

}  // namespace tw
