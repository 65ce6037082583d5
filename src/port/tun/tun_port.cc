#include "port/tun/tun_port.h"

#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "base/assert.h"
#include "base/log.h"
#include "port/tun/tun_queue.h"

namespace tw {
namespace {

// errno of a failed call; EAGAIN under one name.
int failure() noexcept { return errno == EWOULDBLOCK ? EAGAIN : errno; }

}  // namespace

std::size_t TunPort::poll(PacketBatch& batch) noexcept {
  std::size_t count = 0;
  while (batch.room() > 0) {
    Train train;
    const int error = read_packet(batch.buffer(), train);
    if (error == EINTR) continue;
    if (error != 0) {
      if (error != EAGAIN) {
        counters_.read_errors.add();
      } else if (queue_ != nullptr && queue_->found_empty()) {
        continue;
      }
      break;
    }
    if (queue_ != nullptr) queue_->took(train.all());
    if (train.length == 0) {
      counters_.short_reads.add();
      break;
    }
    batch.append(train);
    ++count;
  }
  return count;
}

// 0, or the errno of the read. A train of no bytes if there was no packet behind the vnet header.
int TunPort::read_packet(ByteSpan buffer, Train& train) noexcept {
  std::array<std::uint8_t, VnetHeader::tunnel_size> header{};
  std::array<iovec, 2> parts{{{header.data(), vnet_bytes_}, {buffer.data(), buffer.size()}}};
  const std::span<iovec> used = std::span{parts}.subspan(vnet_bytes_ > 0 ? 0 : 1);
  const ssize_t got = ::readv(fd_.get(), used.data(), static_cast<int>(used.size()));
  if (got < 0) return failure();
  const auto bytes = static_cast<std::size_t>(got);
  if (vnet_bytes_ > 0) train.vnet = VnetHeader::load(ByteView{header}.first(vnet_bytes_));
  train.bytes = buffer.data();
  train.length = train.segment_size =
      static_cast<std::uint32_t>(bytes > vnet_bytes_ ? bytes - vnet_bytes_ : 0);
  return 0;
}

SendResult TunPort::send(std::span<const Train> trains) noexcept {
  SendResult result;
  while (result.taken < trains.size()) {
    const int error = write_packet(trains[result.taken]);
    if (error == EINTR) continue;
    if (error != 0) {
      if (error != EAGAIN) counters_.write_errors.add();
      result.os_errno = error;
      const auto kind = trains[result.taken].vnet.gso_type;
      result.unsupported = error == EINVAL && kind != VnetHeader::gso_none;
      if (result.unsupported) give_up_trains(kind == VnetHeader::gso_udp_l4);
      break;
    }
    ++result.taken;
  }
  return result;
}

void TunPort::give_up_trains(bool udp) noexcept {
  bool& takes = udp ? capabilities_.udp_trains : capabilities_.tcp_trains;
  if (!takes) return;
  takes = false;
  log::warning("the TUN refuses {} trains (EINVAL): writing single packets", udp ? "UDP" : "TCP");
}

int TunPort::write_packet(const Train& train) noexcept {
  VnetHeader vnet = train.vnet;
  // That a checksum was verified means nothing in this direction.
  vnet.flags = static_cast<std::uint8_t>(vnet.flags & ~VnetHeader::data_valid);
  if (vnet_bytes_ == 0 && (vnet.flags != 0 || vnet.gso_type != VnetHeader::gso_none)) return EINVAL;
  std::array<std::uint8_t, VnetHeader::tunnel_size> header;
  if (vnet_bytes_ > 0) vnet.store(ByteSpan{header}.first(vnet_bytes_));
  std::array<iovec, 2> parts{{{header.data(), vnet_bytes_}, {train.bytes, train.length}}};
  const std::span<iovec> used = std::span{parts}.subspan(vnet_bytes_ > 0 ? 0 : 1);
  const ssize_t written = ::writev(fd_.get(), used.data(), static_cast<int>(used.size()));
  return written < 0 ? failure() : 0;
}

}  // namespace tw
