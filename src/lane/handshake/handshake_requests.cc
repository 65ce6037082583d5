#include "lane/handshake/handshake_requests.h"

namespace tw::lane {

void HandshakeRequests::request(HandshakeRequest&& request) noexcept {
  wake_ = true;
  if (request.kind == HandshakeRequest::Kind::initiate &&
      unsent_.size() >= unsent_initiations_max) {
    return;
  }
  if (!unsent_.empty() || !channel_.requests.push(std::move(request))) {
    // NOLINTNEXTLINE(bugprone-use-after-move): what push() refuses, it leaves as it was.
    unsent_.push_back(std::move(request));
  }
}

void HandshakeRequests::retry() noexcept {
  std::size_t sent = 0;
  while (sent < unsent_.size() && channel_.requests.push(std::move(unsent_[sent]))) ++sent;
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(sent));
}

}  // namespace tw::lane
