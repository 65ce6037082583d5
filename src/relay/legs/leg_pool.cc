#include "relay/legs/leg_pool.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <string>
#include <utility>

#include "relay/sockets/sockets.h"

namespace tw::relay {
namespace {

constexpr std::size_t events_per_wait = 64;
// A pool that is larger than `low` looks so often whether it still need be.
constexpr Duration review_interval = 5s;
// Legs that were made together go apart within the last quarter of their time.
constexpr double least_age_share = 0.75;
// Each new round trip counts for a quarter: a pool that is hardly used sees one a minute.
constexpr int rtt_weight = 4;
// For the size of a pool, until the first round trip has been measured.
constexpr Duration unknown_refill_time = 250ms;

struct Keepalive {
  int idle_s = 0;  // 0: none
  int interval_s = 0;
  int probes = 0;
};
// An idle leg is silent for minutes, and a PoP that has vanished says nothing: 16 s find out. One
// packet every 10 s for each is what that costs.
constexpr Keepalive while_warm{.idle_s = 10, .interval_s = 2, .probes = 3};

void set_option(int socket, int level, int name, int value) noexcept {
  static_cast<void>(::setsockopt(socket, level, name, &value, sizeof value));
}

// A socket that refuses this is noticed dead later than it could be, and is no worse otherwise.
void set_keepalive(int socket, const Keepalive& keepalive) noexcept {
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, keepalive.idle_s > 0 ? 1 : 0);
  if (keepalive.idle_s == 0) return;
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, keepalive.idle_s);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, keepalive.interval_s);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, keepalive.probes);
}

Keepalive in_use(const RelayLimits& limits) noexcept {
  using std::chrono::duration_cast, std::chrono::seconds;
  return {.idle_s = static_cast<int>(duration_cast<seconds>(limits.keepalive).count()),
          .interval_s = static_cast<int>(duration_cast<seconds>(keepalive_interval).count()),
          .probes = keepalive_probes};
}

std::string not_proven(bool reset) {
  return std::string{reset ? "it reset a leg that asked it to prove itself"
                           : "it did not prove itself when asked to"} +
         ": it runs an older version, the keys of the pair differ, or somebody else answers there";
}

// Nothing to read, no end and no error. A PoP never speaks first on a leg: one that does is not
// what it seems, and its bytes would reach a client as a server's.
bool is_silent(int socket) noexcept {
  char byte = 0;
  const auto count = ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

LegPool::LegPool(Connect connect, RandomSource& random, std::shared_ptr<PopProof> proof)
    : connect_(std::move(connect)),
      random_(random),
      proof_(std::move(proof)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      backoff_(random) {}

LegPool::~LegPool() { drop_all(); }

void LegPool::apply(const PoolSettings& settings, const RelayLimits& limits, bool probe) {
  settings_ = settings;
  limits_ = limits;
  probe_ = probe;
  if (settings_.enabled) legs_.reserve(settings_.high);
  if (wait_fd() >= 0) deadline_ = Instant{};
}

UniqueFd LegPool::take(Instant now, std::optional<crypto::Mac>* bond) noexcept {
  if (!is_on()) return {};
  const Duration rtt = proof_ ? 2 * counts_.connect_rtt : counts_.connect_rtt;
  size_.used(now, rtt > Duration::zero() ? rtt : unknown_refill_time);
  deadline_ = std::min(deadline_, now);  // to be replaced
  for (std::size_t i = legs_.size(); i-- > 0;) {
    if (!legs_[i].idle) continue;
    WarmLeg leg = std::move(legs_[i]);
    legs_.erase(legs_.begin() + static_cast<std::ptrdiff_t>(i));
    if (!is_silent(leg.socket.get())) {
      count_death(leg, now);
      continue;
    }
    if (now >= expiry_of(leg)) {
      ++counts_.expired;
      end_in_order(leg.socket.get());
      continue;
    }
    static_cast<void>(::epoll_ctl(wait_fd(), EPOLL_CTL_DEL, leg.socket.get(), nullptr));
    set_keepalive(leg.socket.get(), in_use(limits_));
    const auto timeout =
        std::chrono::duration_cast<std::chrono::milliseconds>(limits_.user_timeout);
    set_option(leg.socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(timeout.count()));
    ++counts_.hits;
    if (bond != nullptr && leg.said) *bond = bond_of(leg.answer.bytes);
    return std::move(leg.socket);
  }
  ++counts_.misses;
  return {};
}

void LegPool::drop_all() noexcept {
  counts_.surplus += idle();
  for (const WarmLeg& leg : legs_) end_in_order(leg.socket.get());
  legs_.clear();
  connecting_ = 0;
  backoff_.reset();
  size_ = {};
  counts_.connect_rtt = {};
  if (wait_fd() >= 0) deadline_ = Instant{};
}

// Not in order: their ends would wait for acknowledgements that do not come.
void LegPool::abandon() noexcept {
  counts_.died += idle();
  counts_.failed += connecting_;
  legs_.clear();
  connecting_ = 0;
  if (proof_) proof_->doubt();
  if (wait_fd() >= 0) deadline_ = Instant{};
}

void LegPool::poll(Instant now) {
  if (wait_fd() < 0) return;
  take_events(now);
  target_ = is_on() ? size_.target(now, settings_.low, settings_.high) : 0;
  if (target_ == 0 && wants_probe(now)) target_ = 1;
  retire(now);
  close_surplus();
  refill(now);
  deadline_ = deadline_after(now);
}

// All of them: whoever watches wait_fd() by its edges is told once.
void LegPool::take_events(Instant now) {
  // The kernel fills what is read: zeroing it in every turn of the loop would be for nothing.
  __attribute__((uninitialized)) std::array<epoll_event, events_per_wait> events;
  for (std::size_t count = events.size(); count == events.size();) {
    const int got = ::epoll_wait(wait_fd(), events.data(), static_cast<int>(events.size()), 0);
    count = got > 0 ? static_cast<std::size_t>(got) : 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t id = events[i].data.u64;
      const auto found = std::ranges::lower_bound(legs_, id, {}, &WarmLeg::id);
      if (found == legs_.end() || found->id != id) continue;
      if (!keep(*found, events[i].events, now)) legs_.erase(found);
    }
  }
}

// False if the leg has ended.
bool LegPool::keep(WarmLeg& leg, std::uint32_t events, Instant now) noexcept {
  if (!leg.idle && !leg.said) {
    const int error = take_error(leg.socket.get());
    if (error != 0 || (events & (EPOLLERR | EPOLLHUP)) != 0) {
      fail(leg, {.os_errno = error, .detail = "connect"}, now);
      return false;
    }
    if ((events & EPOLLOUT) == 0) return true;
    note_rtt(leg.socket.get());
    if (proof_ && proof_->way(now) != PopProof::Way::plain) return greet(leg, now);
    if (proof_) proof_->went_unproven();
    establish(leg, now);
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) == 0) return true;
  if (!leg.idle) return take_answer(leg, now);
  count_death(leg, now);
  return false;
}

bool LegPool::wants_probe(Instant now) const noexcept {
  return probe_ && proof_ && proof_->way(now) == PopProof::Way::greet;
}

bool LegPool::greet(WarmLeg& leg, Instant now) noexcept {
  const auto ends = ends_of_connected(leg.socket.get());
  PopProof::Hello hello;
  if (ends) leg.said = proof_->make_hello(hello, *ends);
  if (!ends || ::send(leg.socket.get(), hello.data(), hello.size(), MSG_NOSIGNAL) !=
                   static_cast<ssize_t>(hello.size())) {
    fail(leg, {.os_errno = errno, .detail = "say hello"}, now);
    return false;
  }
  return true;
}

// A PoP that knows no hello ends the leg in order. Where that is allowed, legs without one follow.
bool LegPool::take_answer(WarmLeg& leg, Instant now) noexcept {
  using Read = AnswerProofReader::State;
  const Read read = leg.answer.read(leg.socket.get());
  if (read == Read::incomplete) return true;
  if (read == Read::complete) {
    if (proof_->take_answer(leg.answer.bytes, *leg.said, now) == PopProof::Answered::proven) {
      establish(leg, now);
      return true;
    }
  } else {
    proof_->not_answered(read == Read::ended, now);
  }
  if (proof_->way(now) == PopProof::Way::plain) {
    --connecting_;
    ++counts_.failed;
    return false;
  }
  fail(leg, {.kind = Error::Kind::protocol, .detail = not_proven(read == Read::failed)}, now);
  return false;
}

void LegPool::establish(WarmLeg& leg, Instant now) noexcept {
  leg.idle = true;
  leg.established = now;
  --connecting_;
  ++counts_.opened;
  set_keepalive(leg.socket.get(), while_warm);
}

void LegPool::note_rtt(int socket) noexcept {
  const Duration rtt = connect_rtt(socket);
  if (rtt == Duration::zero()) return;
  Duration& smoothed = counts_.connect_rtt;
  smoothed = smoothed == Duration::zero() ? rtt : smoothed + (rtt - smoothed) / rtt_weight;
}

void LegPool::fail(const WarmLeg& leg, Error error, Instant now) noexcept {
  --connecting_;
  ++counts_.failed;
  last_error_ = std::move(error);
  backoff_.failed(leg.begun, now);
}

void LegPool::count_death(const WarmLeg& leg, Instant now) noexcept {
  ++counts_.died;
  if (proof_) proof_->doubt();
  if (now - leg.established >= ConnectBackoff::proof_time) return;
  last_error_ = {.os_errno = ECONNRESET, .detail = "accepted, then"};
  backoff_.failed(leg.begun, now);
}

Instant LegPool::expiry_of(const WarmLeg& leg) const noexcept {
  const double age = static_cast<double>(settings_.max_age.count()) * leg.age_share;
  return leg.established + Duration{static_cast<Duration::rep>(age)};
}

// Closes legs that are too old, and those that have been connecting for too long.
void LegPool::retire(Instant now) {
  std::erase_if(legs_, [&](const WarmLeg& leg) {
    if (!leg.idle) {
      if (now < leg.begun + limits_.connect_timeout) return false;
      fail(leg, {.os_errno = ETIMEDOUT, .detail = leg.said ? "be answered" : "connect"}, now);
      return true;
    }
    const bool old = now >= expiry_of(leg);
    if (old || now - leg.established >= ConnectBackoff::proof_time) {
      backoff_.proved(leg.established);
    }
    if (!old) return false;
    ++counts_.expired;
    end_in_order(leg.socket.get());
    return true;
  });
}

// The oldest go first. One that is connecting is not given up: it would be a reset at its other
// end, and it can be closed in order soon.
void LegPool::close_surplus() noexcept {
  std::size_t surplus = legs_.size() > target_ ? std::min(legs_.size() - target_, idle()) : 0;
  std::erase_if(legs_, [&](const WarmLeg& leg) {
    if (surplus == 0 || !leg.idle) return false;
    --surplus;
    ++counts_.surplus;
    end_in_order(leg.socket.get());
    return true;
  });
}

void LegPool::refill(Instant now) {
  for (std::size_t begun = 0; begun < begun_per_poll; ++begun) {
    if (legs_.size() >= target_ || connecting_ >= most_connecting) return;
    if (backoff_.next_attempt() > now || (backoff_.failing() && connecting_ > 0)) return;
    begin_leg(now);
  }
}

void LegPool::begin_leg(Instant now) {
  backoff_.begun(now);
  auto socket = connect_();
  const std::uint64_t id = ++next_id_;
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = id}};
  if (!socket || ::epoll_ctl(wait_fd(), EPOLL_CTL_ADD, socket->get(), &event) != 0) {
    ++counts_.failed;
    last_error_ = socket ? system_error("watch a leg").error() : std::move(socket.error());
    backoff_.failed(now, now);
    return;
  }
  const double random = static_cast<double>(random_.next()) / static_cast<double>(UINT64_MAX);
  legs_.push_back({.id = id,
                   .socket = *std::move(socket),
                   .age_share = least_age_share + (1 - least_age_share) * random,
                   .begun = now,
                   .established = {}});
  ++connecting_;
}

Instant LegPool::deadline_after(Instant now) const noexcept {
  Instant earliest = Instant::max();
  for (const WarmLeg& leg : legs_) {
    earliest = std::min(earliest, leg.idle ? expiry_of(leg) : leg.begun + limits_.connect_timeout);
    if (backoff_.failing() && leg.idle && now - leg.established < ConnectBackoff::proof_time) {
      earliest = std::min(earliest, leg.established + ConnectBackoff::proof_time);
    }
  }
  const bool may_begin = backoff_.failing() ? connecting_ == 0 : connecting_ < most_connecting;
  if (legs_.size() < target_ && may_begin) {
    earliest = std::min(earliest, std::max(now, backoff_.next_attempt()));
  }
  if (target_ > settings_.low) earliest = std::min(earliest, now + review_interval);
  return earliest;
}

LegSourceState LegPool::state() const noexcept {
  LegSourceState state = counts_;
  state.idle = idle();
  state.connecting = connecting_;
  state.target = target_;
  state.failures_in_row = backoff_.failures_in_row();
  return state;
}

}  // namespace tw::relay
