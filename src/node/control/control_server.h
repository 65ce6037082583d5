// The control socket: one request line in, one JSON line out, for root only. What `thalweg status`
// and its siblings talk to.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace tw::node {

/// /run/thalweg/INTERFACE.sock
std::string default_control_socket(const std::string& interface);

/// Serves on the control thread; never blocks, and no client can make it. One that says half of
/// something, nothing, or does not read its answer keeps its place until its time is up, or until
/// another process needs it: whoever has most of them loses the one that has been silent longest.
class ControlServer {
 public:
  /// Answers a request line (without its newline) with one line of JSON.
  using Handler = std::function<std::string(std::string_view request)>;

  static constexpr std::size_t max_clients = 16;
  static constexpr std::size_t max_request_bytes = 4096;
  /// Without an octet in either direction a client is hung up on after this.
  static constexpr Duration client_timeout = 30s;

  /// Makes the socket with mode 0600. A socket file that nobody listens on is replaced; one that
  /// answers is an error. `clock` must outlive the server.
  static Result<std::unique_ptr<ControlServer>> listen(const std::string& path, const Clock& clock,
                                                       Handler handler);
  ~ControlServer();  ///< removes the socket file, if it is still this server's

  /// Readable when handle() has something to do.
  int wait_fd() const noexcept;
  void handle() noexcept;

 private:
  struct State;
  explicit ControlServer(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

/// The other end: sends one request line and returns the answer line. Blocks for at most
/// `patience` a step: to be let in, to ask, and for each part of the answer.
Result<std::string> ask_control(const std::string& path, std::string_view request,
                                std::chrono::seconds patience = 5s);

}  // namespace tw::node
