// Watches what others do to the tunnel's interface: its MTU changes, or it is deleted. The kernel
// says so on a netlink socket; but an interface that is moved to another network namespace looks
// deleted from here, lives on, and is looked at once a second from then on.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "exec/poller.h"

namespace tw::node {

class TunnelWatch final : public Poller {
 public:
  using MtuChanged = std::move_only_function<void(std::uint32_t mtu) noexcept>;

  /// `tun_fd` must outlive this. `mtu_changed` is called from poll().
  static Result<std::unique_ptr<TunnelWatch>> open(int ifindex, int tun_fd, MtuChanged mtu_changed);

  /// Readable once the interface is gone, and from then on. Any thread.
  int gone_fd() const noexcept { return gone_.get(); }

  std::size_t poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override { return next_look_; }
  std::span<const int> wait_fds() const noexcept override { return wait_fds_; }

 private:
  static constexpr Duration look_interval = 1s;

  TunnelWatch(int ifindex, int tun_fd, UniqueFd netlink, UniqueFd gone, MtuChanged mtu_changed);
  std::size_t read_messages(Instant now) noexcept;
  void look(Instant now) noexcept;

  const int ifindex_;
  const int tun_fd_;
  UniqueFd netlink_, gone_;
  MtuChanged mtu_changed_;
  std::array<int, 1> wait_fds_;
  Instant next_look_ = Instant::max();
};

}  // namespace tw::node
