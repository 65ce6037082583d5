#include "base/spare_fd.h"

#include <fcntl.h>

namespace tw {

void SpareFd::keep() noexcept {
  if (!fd_) fd_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

bool SpareFd::give_up() noexcept {
  const bool had = static_cast<bool>(fd_);
  fd_.reset();
  return had;
}

}  // namespace tw
