// The Unix socket that `wg` talks to: /var/run/wireguard/IFACE.sock, root's only. Served from the
// control thread's loop; nothing here waits for a client. One that stalls, reads slowly or says
// nothing keeps its place until its time is up, or until somebody else needs it: a process that has
// more of them than others loses the first.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "node/control/unix_listener.h"
#include "node/device/device.h"

namespace tw::node {

inline constexpr const char* uapi_folder = "/var/run/wireguard";

class UapiServer {
 public:
  static constexpr std::size_t clients_max = 32;
  /// Without a byte in either direction a client is cut off after this.
  static constexpr Duration client_timeout = 30s;

  /// `device` and `clock` must outlive this. Makes the folder (mode 0700) where it is missing. A
  /// socket file that nobody answers at is replaced; fails if somebody does.
  static Result<std::unique_ptr<UapiServer>> open(const std::string& interface,
                                                  DeviceControl& device, const Clock& clock,
                                                  const std::string& folder = uapi_folder);
  /// Hangs up on everyone and removes the socket file, if it is still this server's.
  ~UapiServer();
  UapiServer(const UapiServer&) = delete;
  UapiServer& operator=(const UapiServer&) = delete;

  /// Readable when handle() has something to do.
  int wait_fd() const noexcept { return epoll_.get(); }
  /// Does what can be done without waiting.
  void handle();
  /// Somebody has removed the socket file: that is how a user stops a device. Seen by handle().
  bool socket_removed() const noexcept { return socket_removed_; }
  const std::string& path() const noexcept { return listener_.path(); }

 private:
  struct Client;

  UapiServer(DeviceControl& device, const Clock& clock, UnixListener listener);
  Result<void> watch();
  void accept_clients();
  void make_room();
  void serve(Client& client);
  void await(Client& client) noexcept;
  void drop_finished();
  void read_file_events();
  void rearm_timer();

  DeviceControl& device_;
  const Clock& clock_;
  UnixListener listener_;
  UniqueFd epoll_, file_events_, timer_;
  std::vector<std::unique_ptr<Client>> clients_;
  bool socket_removed_ = false;
};

}  // namespace tw::node
