// Watches what others do to the tunnel's interface: its MTU changes, it goes down or up, it is
// deleted. The kernel
// says so on a netlink socket; but an interface that is moved to another network namespace looks
// deleted from here, lives on, and is looked at once a second from then on.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "exec/poller.h"

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
  };

  /// `tun_fd` and `listener` must outlive this.
  static Result<std::unique_ptr<TunnelWatch>> open(int ifindex, int tun_fd, Listener& listener);

  /// Readable once the interface is gone, and from then on. Any thread.
  int gone_fd() const noexcept { return gone_.get(); }

  std::size_t poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override { return next_look_; }
  std::span<const int> wait_fds() const noexcept override { return wait_fds_; }

 private:
  static constexpr Duration look_interval = 1s;

  TunnelWatch(int ifindex, int tun_fd, UniqueFd netlink, UniqueFd gone, Listener& listener);
  std::size_t read_messages(Instant now) noexcept;
  void link_message(const nlmsghdr& header, Instant now) noexcept;
  void ask() noexcept;
  void look(Instant now) noexcept;

  const int ifindex_;
  const int tun_fd_;
  UniqueFd netlink_, gone_;
  Listener& listener_;
  std::uint32_t mtu_ = 0;  // as last told; 0: never
  bool is_up_ = false;
  std::array<int, 1> wait_fds_;
  Instant next_look_ = Instant::max();
};

}  // namespace tw::node
