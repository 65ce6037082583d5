#include "lab/clients/session_array.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "base/assert.h"
#include "lab/clients/keys.h"
#include "port/udp/sockets.h"
#include "wg/protocol.h"
#include "wire/sockaddr.h"

namespace tw::lab {
namespace {

constexpr unsigned generation_bits = 8;
constexpr std::size_t batch_trains = 16;
constexpr std::size_t train_bytes = 65'535;
constexpr std::size_t socket_buffer = std::size_t{4} << 20U;
constexpr std::size_t events_per_turn = 64;
constexpr std::uint32_t retries_per_turn = 4;
constexpr std::uint32_t timers_per_turn = 64;

}  // namespace

SessionArray::SessionArray(const SessionSettings& settings, const Clock& clock, Deliver deliver)
    : clock_(clock),
      deliver_(std::move(deliver)),
      target_(settings.target),
      handshake_target_(HandshakeTarget::of(settings.target_key)),
      engine_(crypto::make_openssl_engine()),
      batch_(batch_trains, train_bytes),
      sessions_(settings.sessions),
      generations_(settings.sessions),
      attempts_(settings.sessions),
      is_wanted_(settings.sessions) {
  initiators_.reserve(settings.sessions);
  for (std::uint32_t i = 0; i < settings.sessions; ++i) {
    initiators_.emplace_back(client_key(settings.seed, settings.first_client + i),
                             handshake_target_);
  }
}

SessionArray::~SessionArray() = default;

Result<std::unique_ptr<SessionArray>> SessionArray::open(const SessionSettings& settings,
                                                         const Clock& clock, Deliver deliver) {
  TW_ASSERT(settings.sessions > 0 && settings.sockets > 0);
  std::unique_ptr<SessionArray> array{new SessionArray(settings, clock, std::move(deliver))};
  if (array->engine_ == nullptr) {
    return make_error(Error::Kind::unavailable, "OpenSSL has no ChaCha20-Poly1305");
  }
  if (Result<void> opened = array->open_sockets(settings); !opened) {
    return std::unexpected(opened.error());
  }
  return array;
}

// Connected, so that an ICMP error finds the socket and is a message instead of a silence.
Result<void> SessionArray::open_sockets(const SessionSettings& settings) {
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return system_error("epoll_create1");
  const SocketAddress address = to_sockaddr(target_);
  const std::uint32_t count = std::min(settings.sockets, settings.sessions);
  for (std::uint32_t number = 0; number < count; ++number) {
    Result<UdpSocket> socket =
        open_udp({.family = target_.address.family(), .buffer_bytes = socket_buffer});
    if (!socket) return std::unexpected(socket.error());
    const int fd = socket->fd.get();
    if (::connect(fd, address.get(), address.length) != 0) {
      return system_error("connect to " + target_.text());
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = number;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return system_error("epoll_ctl");
    ports_.push_back(std::make_unique<UdpPort>(std::move(socket->fd)));
  }
  return {};
}

std::uint32_t SessionArray::established(Instant now) const noexcept {
  return static_cast<std::uint32_t>(
      std::count_if(sessions_.begin(), sessions_.end(),
                    [now](const wg::Session& session) { return session.has_usable_keypair(now); }));
}

bool SessionArray::was_refused() const noexcept {
  return std::any_of(ports_.begin(), ports_.end(), [](const std::unique_ptr<UdpPort>& port) {
    return port->counters().receive_errors.value() > 0;
  });
}

void SessionArray::wait(Duration timeout) noexcept {
  const timespec limit = to_timespec(timeout);
  epoll_event event{};
  ::epoll_pwait2(epoll_.get(), &event, 1, &limit, nullptr);
}

void SessionArray::turn(Instant now) noexcept {
  std::array<epoll_event, events_per_turn> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), events_per_turn, 0);
  for (int i = 0; i < count; ++i) {
    receive(*ports_[events[static_cast<std::size_t>(i)].data.u32], now);
  }
  repeat_handshakes(now);
  run_timers(now);
}

void SessionArray::receive(UdpPort& port, Instant now) noexcept {
  port.poll(batch_);
  for (const Train& train : batch_.trains()) {
    for (std::size_t i = 0; i < train.segments(); ++i) take_datagram(train.segment(i), now);
  }
  batch_.clear();
}

void SessionArray::take_datagram(ByteSpan datagram, Instant now) noexcept {
  if (const auto response = WgResponseView::of(datagram)) return take_response(*response);
  if (const auto reply = WgCookieReplyView::of(datagram)) return take_cookie(*reply, now);
  if (classify(datagram) == WgType::data) return take_data(datagram, now);
  // An initiation of the target's among them: ours follows within seconds where one is needed.
  counters_.refused.add();
}

std::optional<std::uint32_t> SessionArray::session_of(std::uint32_t index) const noexcept {
  const std::uint32_t session = index >> generation_bits;
  if (session >= size()) return std::nullopt;
  return session;
}

void SessionArray::take_response(const WgResponseView& message) noexcept {
  const auto session = session_of(message.receiver_index);
  const Instant now = clock_.now();
  auto keypair = session ? initiators_[*session].answered(message, now) : std::nullopt;
  if (!keypair) return counters_.refused.add();
  times_.record(now - initiators_[*session].sent_at());
  counters_.completed.add();
  --outstanding_;
  wg::SessionActions actions;
  sessions_[*session].install(std::move(*keypair), now, released_, actions);
  act(*session, actions, now);
  if (endless_) want_handshake(*session);
}

void SessionArray::take_cookie(const WgCookieReplyView& message, Instant now) noexcept {
  const auto session = session_of(message.receiver_index);
  if (session && initiators_[*session].cookie(message, now)) {
    counters_.cookies.add();
  } else {
    counters_.refused.add();
  }
}

void SessionArray::take_data(ByteSpan datagram, Instant now) noexcept {
  const WgDataView view = WgDataView::of(datagram);
  const auto session = session_of(view.receiver_index);
  wg::LiveKeypair* keypair = session ? sessions_[*session].find(view.receiver_index) : nullptr;
  if (keypair == nullptr || wg::Session::may_open(*keypair, view.counter, now)) {
    return counters_.unopened.add();
  }
  const auto length = static_cast<std::uint32_t>(view.sealed.size() - wg_tag_size);
  std::array<crypto::AeadJob, 1> job{
      {{&keypair->keys.receive_key, view.counter, view.sealed.data(), length, false}}};
  engine_->submit_open(job);
  engine_->complete();
  if (!job[0].authentic) return counters_.unopened.add();
  wg::SessionActions actions;
  if (sessions_[*session].authenticated(*keypair, view.counter, length == 0, now, released_,
                                        actions)) {
    return counters_.unopened.add();
  }
  act(*session, actions, now);
  if (length > 0 && deliver_) deliver_(*session, view.sealed.first(length));
}

void SessionArray::want_handshake(std::uint32_t session) noexcept {
  if (is_wanted_[session] || initiators_[session].is_waiting()) return;
  is_wanted_[session] = true;
  attempts_[session] = clock_.now();
  wanted_.push_back(session);
}

// The queue is in the order in which handshakes ended, which is nearly that in which they began.
bool SessionArray::can_begin(std::uint32_t outstanding) const noexcept {
  if (wanted_.empty() || outstanding_ >= outstanding) return false;
  const Instant last = initiators_[wanted_.front()].sent_at();
  return last == Instant{} || clock_.now() - last >= restart_interval;
}

void SessionArray::begin_handshakes(std::uint32_t outstanding, std::uint32_t most) noexcept {
  for (; most > 0 && can_begin(outstanding); --most) {
    const std::uint32_t session = wanted_.front();
    wanted_.pop_front();
    is_wanted_[session] = false;
    ++outstanding_;
    initiate(session);
  }
}

void SessionArray::initiate(std::uint32_t session) noexcept {
  const std::uint32_t index = (session << generation_bits) | ++generations_[session];
  const Instant now = clock_.now();
  std::array<std::uint8_t, wg_initiation_size> datagram;
  if (!initiators_[session].begin(index, now, clock_.wall(), datagram)) {
    --outstanding_;
    return counters_.gave_up.add();
  }
  counters_.initiations.add();
  retries_.emplace_back(now + wg::rekey_timeout, session);
  sessions_[session].handshake_sent(now);
  send_datagram(session, datagram);
}

void SessionArray::end_handshake(std::uint32_t session) noexcept {
  if (!initiators_[session].is_waiting()) return;
  initiators_[session].forget();
  --outstanding_;
}

// Every initiation has an entry here; it is stale if another followed, or the answer came.
void SessionArray::repeat_handshakes(Instant now) noexcept {
  std::uint32_t sent = 0;
  while (!retries_.empty() && retries_.front().first <= now && sent < retries_per_turn) {
    const auto [at, session] = retries_.front();
    retries_.pop_front();
    Initiator& initiator = initiators_[session];
    if (!initiator.is_waiting() || initiator.sent_at() + wg::rekey_timeout != at) continue;
    if (now - attempts_[session] >= wg::rekey_attempt_time) {
      end_handshake(session);
      counters_.gave_up.add();
      wg::SessionActions actions;
      sessions_[session].gave_up(now, actions);
      continue;
    }
    counters_.retries.add();
    initiate(session);
    ++sent;
  }
}

void SessionArray::run_timers(Instant now) noexcept {
  const std::uint32_t count = std::min(timers_per_turn, size());
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t session = timer_turn_;
    timer_turn_ = (timer_turn_ + 1) % size();
    if (sessions_[session].next_deadline() > now) continue;
    const wg::SessionActions actions = sessions_[session].tick(now, released_);
    act(session, actions, now);
  }
}

// The indices that went out of use need not be given back: the generation makes the next one.
void SessionArray::act(std::uint32_t session, const wg::SessionActions& actions,
                       Instant now) noexcept {
  released_.clear();
  if (actions.wiped) end_handshake(session);
  if (actions.initiate) want_handshake(session);
  if (actions.send_keepalive) send_keepalive(session, now);
}

void SessionArray::send_keepalive(std::uint32_t session, Instant now) noexcept {
  const auto slot = sessions_[session].next_seal(now);
  if (!slot) return;
  std::array<std::uint8_t, wg_data_min_size> datagram;
  const std::span<std::uint8_t, wg_data_min_size> bytes{datagram};
  write_wg_data_header(bytes.first<wg_data_header_size>(), slot->keypair->keys.remote_index,
                       slot->counter);
  std::array<crypto::AeadJob, 1> job{{{&slot->keypair->keys.send_key, slot->counter,
                                       datagram.data() + wg_data_header_size, 0, false}}};
  engine_->submit_seal(job);
  engine_->complete();
  wg::SessionActions actions;
  sessions_[session].sent(true, now, actions);
  if (actions.initiate) want_handshake(session);
  send_datagram(session, datagram);
}

void SessionArray::send_datagram(std::uint32_t session, ByteSpan datagram) noexcept {
  Train train;
  train.bytes = datagram.data();
  train.length = train.segment_size = static_cast<std::uint32_t>(datagram.size());
  train.destination = target_;
  if (port(socket_of(session)).send({&train, 1}).taken == 0) counters_.unsent.add();
}

std::optional<wg::Session::SealSlot> SessionArray::next_seal(std::uint32_t session,
                                                             Instant now) noexcept {
  const auto slot = sessions_[session].next_seal(now);
  if (slot) return slot;
  wg::SessionActions actions;
  sessions_[session].staged(now, actions);
  act(session, actions, now);
  return std::nullopt;
}

void SessionArray::sent(std::uint32_t session, Instant now) noexcept {
  wg::SessionActions actions;
  sessions_[session].sent(false, now, actions);
  if (actions.initiate) want_handshake(session);
}

}  // namespace tw::lab
