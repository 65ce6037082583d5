// Watches what others do to the tunnel's interface (its MTU changes, it goes down or up, it is
// deleted) and to the ways that its datagrams take. The kernel says so on a netlink socket; but an
// interface that is moved to another network namespace looks deleted from here and lives on. It is
// asked about from then on, a few times a second: wherever it is, "up" means the same.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "exec/poller.h"
#include "node/tunnel/tun_place.h"

struct nlmsghdr;

namespace tw::node {

class TunnelWatch final : public Poller {
 public:
  /// Whom to tell, from poll().
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void mtu_changed(std::uint32_t mtu) noexcept = 0;
    /// Down only after up: an interface that is still to be set up is not down.
    virtual void link_changed(bool is_up, Instant now) noexcept = 0;
    /// Routes, rules, addresses or interfaces: whatever the kernel said of the way to a peer before
    /// may not hold. At most every `tell_interval`, however many there are.
    virtual void paths_changed() noexcept = 0;
    /// The interface has come to another namespace, or back. `ifindex`: its number here; 0: it is
    /// not here.
    virtual void moved(std::uint32_t ifindex) noexcept = 0;
  };

  /// `tun_fd` and `listener` must outlive this.
  static Result<std::unique_ptr<TunnelWatch>> open(int ifindex, int tun_fd, Listener& listener);

  /// Readable once the interface is gone, and from then on. Any thread.
  int gone_fd() const noexcept { return gone_.get(); }

  Work poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override {
    return changed_ ? std::min(next_look_, next_tell_) : next_look_;
  }
  std::span<const int> wait_fds() const noexcept override { return wait_fds_; }

 private:
  static constexpr Duration look_interval = 200ms;
  static constexpr Duration tell_interval = 50ms;

  TunnelWatch(int ifindex, int tun_fd, UniqueFd netlink, UniqueFd gone, Listener& listener);
  std::size_t read_messages(Instant now) noexcept;
  void link_message(const nlmsghdr& header, Instant now) noexcept;
  void ask() noexcept;
  void link_state(std::uint32_t mtu, bool is_up, Instant now) noexcept;
  void look(Instant now) noexcept;
  void follow(Instant now) noexcept;

  int ifindex_;  // here; 0: elsewhere
  const int tun_fd_;
  UniqueFd netlink_, gone_;
  Listener& listener_;
  TunPlaces places_{tun_fd_};
  std::uint32_t mtu_ = 0;  // as last told; 0: never
  bool is_up_ = false;
  bool changed_ = false;  // a path, and the listener does not know yet
  Instant next_tell_{};
  std::array<int, 1> wait_fds_;
  Instant next_look_ = Instant::max();
};

}  // namespace tw::node
