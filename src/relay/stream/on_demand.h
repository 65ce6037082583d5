// A value that few connections have: as std::optional, but it takes no room while it is empty. The
// room comes from a slab of its type, so that nothing is allocated once there were as many.
#pragma once

#include <memory>
#include <utility>

#include "base/assert.h"
#include "base/page_slab.h"

namespace tw::relay {

/// One context has all of a kind at a time; the slab's lock is never contended.
template <typename T>
class OnDemand {
 public:
  template <typename... Arguments>
  T& emplace(Arguments&&... arguments) {
    reset();
    void* const memory = slab().take();
    TW_ASSERT(memory != nullptr);  // as any other allocation that fails
    place_.reset(std::construct_at(static_cast<T*>(memory), std::forward<Arguments>(arguments)...));
    return *place_;
  }
  void reset() noexcept { place_.reset(); }
  explicit operator bool() const noexcept { return place_ != nullptr; }
  T* operator->() const noexcept { return place_.get(); }
  T& operator*() const noexcept { return *place_; }

 private:
  static PageSlab& slab() noexcept {
    static PageSlab slab{sizeof(T)};
    return slab;
  }
  struct GiveBack {
    void operator()(T* one) const noexcept {
      std::destroy_at(one);
      slab().give_back(one);
    }
  };
  std::unique_ptr<T, GiveBack> place_;
};

}  // namespace tw::relay
