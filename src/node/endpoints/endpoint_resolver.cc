#include "node/endpoints/endpoint_resolver.h"

#include <netdb.h>
#include <resolv.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/unique_fd.h"
#include "wire/sockaddr.h"

namespace tw::node {
namespace {

/// Prepares this thread's next look-up: reads /etc/resolv.conf anew, and lets a server be silent
/// for 2 s, once. The system's own patience (5 s, twice, each of three servers) is for people.
void be_impatient() noexcept {
  if ((_res.options & RES_INIT) != 0) ::res_nclose(&_res);
  if (::res_ninit(&_res) != 0) return;
  _res.retrans = 2;
  _res.retry = 1;
}

Lookup look_up(const EndpointName& name, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(name.port);
  Lookup answer;
  answer.failure = ::getaddrinfo(name.host.c_str(), port.c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
  if (answer.failure != 0) return answer;
  answer.endpoint = from_sockaddr(found->ai_addr, found->ai_addrlen);
  return answer;
}

}  // namespace

bool Lookup::is_final() const noexcept {
  return failure == EAI_NONAME || failure == EAI_FAIL || failure == EAI_NODATA;
}

std::string Lookup::text() const { return ::gai_strerror(failure); }

Lookup look_up_endpoint(const EndpointName& name) {
  // Figures, with a zone or without, are asked of nobody: before DHCP has answered, AI_ADDRCONFIG
  // would refuse them.
  Lookup answer = look_up(name, AI_NUMERICHOST);
  if (answer.endpoint) return answer;
  be_impatient();
  answer = look_up(name, AI_ADDRCONFIG);
  // A machine without addresses yet: what /etc/hosts says of a name is an answer all the same.
  return answer.endpoint ? answer : look_up(name, 0);
}

std::optional<Endpoint> resolve_endpoint(const EndpointName& name) {
  const Lookup answer = look_up_endpoint(name);
  if (!answer.endpoint) {
    log::warning("endpoint {} does not resolve: {}", name.host, answer.text());
  }
  return answer.endpoint;
}

struct EndpointResolver::Shared {
  Shared(Ask ask, UniqueFd eventfd) noexcept : lookup(std::move(ask)), ready(std::move(eventfd)) {}
  void run();

  const Ask lookup;
  const UniqueFd ready;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<EndpointName> waiting;  // the first is being looked up, if `asking`
  std::vector<ResolvedName> answers;
  bool asking = false;
  bool stopped = false;
};

void EndpointResolver::Shared::run() {
  std::unique_lock lock{mutex};
  for (;;) {
    changed.wait(lock, [this] { return stopped || !waiting.empty(); });
    if (stopped) return;
    const EndpointName name = waiting.front();
    asking = true;
    lock.unlock();
    std::optional<Endpoint> endpoint = lookup(name);
    lock.lock();
    asking = false;
    waiting.pop_front();
    answers.push_back({name, endpoint});
    const std::uint64_t one = 1;
    static_cast<void>(::write(ready.get(), &one, sizeof one));  // a full one is readable too
    changed.notify_all();
  }
}

Result<std::unique_ptr<EndpointResolver>> EndpointResolver::start(Ask lookup) {
  UniqueFd ready{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!ready) return system_error("eventfd of the resolver");
  auto shared = std::make_shared<Shared>(std::move(lookup), std::move(ready));
  std::unique_ptr<EndpointResolver> resolver{new EndpointResolver{shared}};
  try {
    resolver->thread_ = std::thread{[shared = std::move(shared)] { shared->run(); }};
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "thread of the resolver");
  }
  return resolver;
}

EndpointResolver::EndpointResolver(std::shared_ptr<Shared> shared) noexcept
    : shared_(std::move(shared)) {}

EndpointResolver::~EndpointResolver() {
  bool asking = false;
  {
    const std::lock_guard lock{shared_->mutex};
    shared_->stopped = true;
    asking = shared_->asking;
  }
  shared_->changed.notify_all();
  if (!thread_.joinable()) return;
  // A process that ends must not wait for silent name servers: nothing can interrupt getaddrinfo.
  if (asking) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void EndpointResolver::ask(const EndpointName& name) {
  const std::lock_guard lock{shared_->mutex};
  if (std::ranges::find(shared_->waiting, name) != shared_->waiting.end()) return;
  shared_->waiting.push_back(name);
  shared_->changed.notify_all();
}

int EndpointResolver::wait_fd() const noexcept { return shared_->ready.get(); }

std::vector<ResolvedName> EndpointResolver::take() {
  // Before the look at the answers: what comes in between rings again.
  std::uint64_t count = 0;
  static_cast<void>(::read(shared_->ready.get(), &count, sizeof count));
  const std::lock_guard lock{shared_->mutex};
  return std::exchange(shared_->answers, {});
}

bool EndpointResolver::settle(std::chrono::milliseconds patience) {
  std::unique_lock lock{shared_->mutex};
  return shared_->changed.wait_for(lock, patience, [this] { return shared_->waiting.empty(); });
}

}  // namespace tw::node
