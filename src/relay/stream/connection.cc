#include "relay/stream/connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "relay/legs/leg_header.h"
#include "relay/legs/leg_probe.h"
#include "relay/pacing/tcp_sample.h"
#include "relay/sockets/sockets.h"

namespace tw::relay {
namespace {

// A transfer that has paused for so long has ended, as far as anybody who waits knows.
constexpr Duration pause_in_transfer = 2ms;

/// Whether the other side has acknowledged anything that was sent, before the connection ended.
constexpr std::uint64_t our_syn = 1;  // counts as a byte

std::uint64_t delivered_bytes(int socket) noexcept {
  const auto sample = read_tcp_sample(socket);
  return sample ? sample->delivered_bytes : 0;
}

}  // namespace

Connection::Connection(UniqueFd front, Endpoint peer, Phase phase, Instant now) noexcept
    : front_(std::move(front)),
      peer_(peer),
      times_(now),
      last_activity_(now),
      heard_{now, now},
      phase_(phase) {}

Connection Connection::leg(UniqueFd front, Endpoint peer, std::shared_ptr<PopProof> proof,
                           Instant now) noexcept {
  Connection connection{std::move(front), peer, Phase::header, now};
  connection.is_leg_ = true;
  connection.front_proof_ = std::move(proof);
  return connection;
}

Connection Connection::client(UniqueFd front, Endpoint peer, Endpoint target,
                              Instant now) noexcept {
  Connection connection{std::move(front), peer, Phase::connecting, now};
  connection.client_ = peer;
  connection.target_ = target;
  connection.has_target_ = true;
  return connection;
}

Connection Connection::half(Endpoint client, Endpoint target, Instant claim_by,
                            Instant now) noexcept {
  Connection connection = Connection::client(UniqueFd{}, client, target, now);
  connection.claim_by_ = claim_by;
  connection.early_ = true;
  return connection;
}

void Connection::hold(HeldSyn syn, Instant answer_by) noexcept {
  held_ = syn;
  claim_by_ = answer_by;
}

std::uint32_t Connection::let_go(Instant claim_by) noexcept {
  claim_by_ = claim_by;
  return std::exchange(held_, std::nullopt).value_or(HeldSyn{}).number;
}

void Connection::claim(UniqueFd front, Instant now) noexcept {
  front_ = std::move(front);
  claim_by_ = Instant::max();
  last_activity_ = now;
  times_.reach(Stage::claim, now);
  if (phase_ == Phase::doomed) phase_ = Phase::finished;
  if (awaits_client_) meet_client(now);
}

Via Connection::via() const noexcept {
  if (is_leg_) return Via::for_pop;
  if (!pop_) return Via::direct;
  return warm_ ? Via::warm_leg : Via::fresh_leg;
}

LegRequest Connection::request() const noexcept {
  return {.client = client_,
          .target = target_,
          // With Fast Open a socket is connected before the server has answered.
          .fast_open = fast_open_ && !asked_ && is_claimed() && has_bytes(front_.get()),
          .hops = hops_,
          .answer = asked_ || held_,
          .unclaimed = awaits_client_};
}

void Connection::go_directly(Leg leg, Instant now) {
  begin_back(std::move(leg), std::nullopt, now);
  notice_death_from_ = now + worth_noticing;
}

void Connection::go_onward(Leg leg, PopId pop, Duration patience, Instant now) {
  begin_back(std::move(leg), pop, now);
  on_probation_ = true;
  ++attempts_;
  answer_by_ = now + patience;
}

void Connection::begin_back(Leg leg, std::optional<PopId> pop, Instant now) {
  back_start_.reset();  // of a leg that was dead
  back_window_.reset();
  notice_death_from_ = Instant::max();
  back_ = std::move(leg.socket);
  up_.begin_sink(leg.header, /*retain=*/pop.has_value(), /*apart=*/leg.held_late);
  back_writable_ = leg.connected;
  back_failed_ = connected_ = false;
  if (leg.connected) up_.sink_ready();
  warm_ = leg.warm;
  // A warm leg has delivered its hello before, which says nothing of its PoP's being alive now.
  delivered_before_ = warm_ ? std::max(our_syn, delivered_bytes(back_.get())) : our_syn;
  answers_ = leg.answers;
  back_proof_ = std::move(leg.proof);
  awaited_.reset();
  ask_again_ = false;
  gone_onward_ = true;
  pop_ = pop;
  on_probation_ = false;
  answer_by_ = Instant::max();
  last_activity_ = now;
  heard_[std::to_underlying(Side::back)] = now;
  segments_before_[std::to_underlying(Side::back)] = 0;
  phase_ = Phase::connecting;
  begin_back_window(leg);
}

bool Connection::has_heard_us() const noexcept {
  return delivered_bytes(back_.get()) > delivered_before_;
}

void Connection::ask(Side side) noexcept {
  segments_before_[std::to_underlying(side)] = segments_received(socket(side));
  ask_whether_alive(socket(side));
}

bool Connection::is_unheard(Side side) const noexcept {
  const std::uint32_t before = segments_before_[std::to_underlying(side)];
  return before != 0 && segments_received(socket(side)) == before;
}

void Connection::start_leg(Side side, LegStart start, Instant now) {
  auto& leg = side == Side::front ? front_start_ : back_start_;
  leg.emplace(std::move(start)).prepare(now);
}

// A socket that cannot be watched has failed, and says so itself.
void Connection::tend(Instant now, const RelayLimits& limits) noexcept {
  watch_starts(now);
  watch_windows(now);
  if (now < notice_death_from_) return;
  notice_death_from_ = Instant::max();
  if (back_.get() >= 0) static_cast<void>(notice_death(back_.get(), limits));
}

void Connection::watch_starts(Instant now) noexcept {
  if (phase_ != Phase::relaying) return;
  const auto watch = [now](OnDemand<LegStart>& leg, std::uint64_t bytes) {
    if (!leg) return;
    leg->on_written(bytes, now);
    if (now >= leg->deadline()) leg->drive(now);
  };
  if (client_start_) client_start_->on_written(down_.bytes(), now);
  watch(front_start_, down_.bytes());
  watch(back_start_, up_.bytes());
}

void Connection::learn_paths(Instant now) noexcept {
  if (client_start_) client_start_->finish(now);
  if (front_start_) front_start_->finish(now);
  if (back_start_) back_start_->finish(now);
}

void Connection::on_events(Side side, std::uint32_t epoll_events) noexcept {
  const bool failed = (epoll_events & EPOLLERR) != 0;
  const bool readable = (epoll_events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0;
  const bool writable = (epoll_events & (EPOLLOUT | EPOLLHUP)) != 0;
  if (side == Side::front) {
    front_failed_ |= failed;
    front_ended_ |= (epoll_events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    if (readable) up_.source_ready();
    if (front_ended_) up_.source_closing();
    if ((epoll_events & EPOLLPRI) != 0) up_.source_urgent();
    if (writable) down_.sink_ready();
  } else {
    back_failed_ |= failed;
    back_writable_ |= writable;
    if (readable) down_.source_ready();
    if ((epoll_events & (EPOLLRDHUP | EPOLLHUP)) != 0) down_.source_closing();
    if ((epoll_events & EPOLLPRI) != 0) down_.source_urgent();
    if (writable) up_.sink_ready();
  }
}

Turn Connection::advance(Instant now, PipePool& pipes, std::size_t quantum) noexcept {
  const std::uint64_t up = up_.bytes(), down = down_.bytes();
  Turn turn;
  turn.step = take_step(now, pipes, quantum, turn);
  turn.verified = held_ && phase_ == Phase::relaying;
  turn.bytes_upstream = up_.bytes() - up;
  turn.bytes_downstream = down_.bytes() - down;
  watch_starts(now);
  watch_windows(now);
  return turn;
}

Step Connection::take_step(Instant now, PipePool& pipes, std::size_t quantum, Turn& turn) noexcept {
  if (std::exchange(front_failed_, false)) {
    if (const int error = take_error(front_.get())) return end(Outcome::reset, error);
  }
  switch (phase_) {
    case Phase::header:
      times_.begin(now);  // a leg that waits for its target has not begun
      return read_header(now);
    case Phase::connecting:
      if (const Step step = finish_connect(now, turn); phase_ != Phase::relaying) return step;
      return relay(now, pipes, quantum, turn);
    case Phase::greeting:
      if (const Step step = take_welcome(now, turn); phase_ != Phase::relaying) return step;
      return relay(now, pipes, quantum, turn);
    case Phase::asking:
      if (const Step step = take_answer(now, turn); phase_ != Phase::relaying) return step;
      return relay(now, pipes, quantum, turn);
    case Phase::relaying:
      return relay(now, pipes, quantum, turn);
    case Phase::doomed:
      return Step::waiting;
    case Phase::finished:
      break;
  }
  return Step::finished;
}

Step Connection::finish_connect(Instant now, Turn& turn) noexcept {
  if (std::exchange(back_failed_, false)) {
    const int error = take_error(back_.get());
    // A connection that is not made is refused; only one that was can be reset.
    turn.connected = connected_ = error == ECONNRESET || error == EPIPE;
    if (error != 0) return lose_back(connected_ ? Outcome::reset : Outcome::connect_failed, error);
  }
  if (!back_writable_) return Step::waiting;
  turn.connected = connected_ = true;
  last_activity_ = now;
  times_.reach(Stage::connect, now);
  return back_proof_ ? prove_back(now, turn) : after_connect(now, turn);
}

Step Connection::after_connect(Instant now, Turn& turn) noexcept {
  if (!answers_) return begin_relaying(now);
  phase_ = Phase::asking;
  return take_answer(now, turn);
}

// The far server refuses: that is not a reset of something that was. What else comes instead of the
// answer is no PoP that knows the question.
Step Connection::take_answer(Instant now, Turn& turn) noexcept {
  const bool prefix_lost = up_.push_prefix(back_.get()) == Flow::broken;
  if (Step lost{}; awaited_ && !check_proof(now, lost, turn)) return lost;
  if (awaited_) return Step::waiting;
  if (std::exchange(back_failed_, false)) {
    if (const int error = take_error(back_.get())) return lose_back(Outcome::connect_failed, error);
  }
  if (prefix_lost) return lose_back(Outcome::connect_failed, up_.os_errno());
  int os_errno = 0;
  switch (read_leg_answer(back_.get(), os_errno)) {
    case LegAnswer::none:
      return Step::waiting;
    case LegAnswer::connected:
      if (on_probation_ && !pass_probation(turn)) return end(Outcome::reset, up_.os_errno());
      return begin_relaying(now);
    case LegAnswer::failed:
      break;
  }
  return lose_back(Outcome::connect_failed, os_errno);
}

Step Connection::begin_relaying(Instant now) noexcept {
  phase_ = Phase::relaying;
  // A back that is connected without Fast Open, or has answered, has been heard.
  if (!on_probation_ && !fast_open_) connect_by_ = Instant::max();
  last_activity_ = now;
  if (asked_ && !std::exchange(told_, true)) down_.prepend({leg_answer_connected});
  return Step::more;
}

Step Connection::relay(Instant now, PipePool& pipes, std::size_t quantum, Turn& turn) noexcept {
  if (Step lost{}; awaited_ && down_.has_source() && !check_proof(now, lost, turn)) return lost;
  if (std::exchange(back_failed_, false)) {
    if (const int error = take_error(back_.get())) return lose_back(Outcome::reset, error);
  }
  if (!is_claimed()) {
    const bool broken = up_.push_prefix(back_.get()) == Flow::broken;
    return broken ? lose_back(Outcome::reset, up_.os_errno()) : Step::waiting;
  }
  const auto progress = [this] {
    return up_.bytes() + down_.bytes() + (up_.ended() ? 1U : 0U) + (down_.ended() ? 1U : 0U);
  };
  if (budget_) open_windows(now);
  const std::uint64_t before = progress();
  const std::uint64_t up_before = up_.bytes(), down_before = down_.bytes();
  if (now - last_activity_ > pause_in_transfer) {
    up_.interrupt_run();
    down_.interrupt_run();
  }
  const Flow up = up_.pump(front_.get(), back_.get(), pipes, quantum, down_.ended());
  if (up == Flow::broken && up_.sink_broke()) return lose_back(Outcome::reset, up_.os_errno());
  if (up == Flow::broken) return end(Outcome::reset, up_.os_errno());
  if (up_.bytes() > 0 && !times_.has_reached(Stage::request)) times_.reach(Stage::request, now);
  if (client_start_ && down_.has_source()) client_start_->begin(now);
  if (up_.bytes() != up_before && !up_.is_transfer()) down_.interrupt_run();
  const Flow down =
      awaited_ ? Flow::waiting : down_.pump(back_.get(), front_.get(), pipes, quantum, up_.ended());
  if (down_.bytes() > 0 && !times_.has_reached(Stage::first_byte)) {
    times_.reach(Stage::first_byte, now);
  }
  if (down == Flow::broken) return end(Outcome::reset, down_.os_errno());
  if (down_.bytes() != down_before && !down_.is_transfer()) up_.interrupt_run();
  if (progress() != before) last_activity_ = now;
  if (up_.bytes() != up_before) heard_[std::to_underlying(Side::front)] = now;
  if (down_.bytes() != down_before) heard_[std::to_underlying(Side::back)] = now;
  if (fast_open_ && down_.bytes() > 0 && !on_probation_) connect_by_ = Instant::max();
  if (on_probation_ && (down_.bytes() > 0 || down_.ended())) {
    if (!pass_probation(turn)) return end(Outcome::reset, up_.os_errno());
  }

  if (up == Flow::ended && down == Flow::ended) return end(Outcome::closed);
  if (up == Flow::more || down == Flow::more) return Step::more;
  if (up == Flow::gather || down == Flow::gather) return Step::gather;
  if (up == Flow::no_pipe || down == Flow::no_pipe) return Step::no_pipe;
  return Step::waiting;
}

Instant Connection::deadline(const RelayLimits& limits) const noexcept {
  const Instant silent = is_claimed() ? end_of_silence(limits) : claim_by_;
  Instant earliest = std::min(silent, answer_by_);
  if (phase_ != Phase::doomed) earliest = std::min(earliest, connect_by_);
  if (phase_ != Phase::relaying) return earliest;
  earliest = std::min({earliest, notice_death_from_, window_deadline()});
  if (client_start_) earliest = std::min(earliest, client_start_->deadline());
  for (const auto* leg : {&front_start_, &back_start_}) {
    if (*leg) earliest = std::min(earliest, (*leg)->deadline());
  }
  return earliest;
}

Instant Connection::end_of_silence(const RelayLimits& limits) const noexcept {
  switch (phase_) {
    case Phase::header:
      return last_activity_ + (may_wait() ? warm_leg_timeout : limits.connect_timeout);
    case Phase::connecting:
    case Phase::greeting:
    case Phase::asking:
      return last_activity_ + limits.connect_timeout;
    case Phase::relaying: {
      // What a leg has taken may wait for minutes in the far PoP's buffers, where only that PoP can
      // see it move: it is the one that ends the silence, and this side follows.
      const bool half_closed = (up_.ended() && !pop_) || (down_.ended() && !is_leg_);
      return last_activity_ + (half_closed ? limits.half_close_timeout : limits.idle_timeout);
    }
    case Phase::doomed:
    case Phase::finished:
      break;
  }
  return Instant::max();
}

// A reader slower than the timeout is not silent: our send queue towards it shrinks.
bool Connection::still_delivering() noexcept {
  std::uint64_t queued = 0;
  for (const int socket : {front_.get(), back_.get()}) {
    int bytes = 0;
    if (::ioctl(socket, SIOCOUTQ, &bytes) == 0 && bytes > 0) {
      queued += static_cast<std::uint64_t>(bytes);
    }
  }
  return std::exchange(undelivered_, queued) != queued && queued > 0;
}

Step Connection::expire(Instant now) noexcept {
  if (is_late(now)) return review_connect();
  if (now >= answer_by_) return review_leg();
  if (!is_claimed()) return end(held_ ? Outcome::connect_failed : Outcome::unclaimed);
  switch (phase_) {
    case Phase::header:
      if (header_begun_) return end(Outcome::bad_header);
      if (may_wait()) return end(Outcome::idle);
      fault_ = front_proof_->judge_silence();
      return end(Outcome::refused_proof);
    case Phase::connecting:
    case Phase::greeting:
    case Phase::asking:
      return end(Outcome::connect_failed);
    case Phase::relaying:
      if (still_delivering()) {
        last_activity_ = now;
        return Step::waiting;
      }
      return end(Outcome::idle);
    case Phase::doomed:
    case Phase::finished:
      break;
  }
  return Step::waiting;
}

// Whether its PoP has heard of us: an acknowledgement comes from its kernel, whoever is busy there.
Step Connection::review_leg() noexcept {
  answer_by_ = Instant::max();
  if (!has_heard_us()) return Step::silent;
  if (phase_ == Phase::greeting) return Step::waiting;  // it has been told nothing yet
  if (pass_probation()) return Step::waiting;
  return end(Outcome::reset, up_.os_errno());
}

// A warm leg, and a socket that uses Fast Open, can be written to before anybody has heard of it,
// and the kernel would try for a quarter of an hour, or two minutes. The client is told in time.
Step Connection::review_connect() noexcept {
  connect_by_ = Instant::max();
  if (phase_ == Phase::relaying) {
    if (!on_probation_ && !is_connecting(back_.get())) return Step::waiting;
    if (on_probation_ && has_heard_us()) {
      return pass_probation() ? Step::waiting : end(Outcome::reset, up_.os_errno());
    }
  }
  return give_up_back({Outcome::connect_failed, ETIMEDOUT});
}

bool Connection::pass_probation(Turn& turn) noexcept {
  turn.answered = true;
  return pass_probation();
}

bool Connection::pass_probation() noexcept {
  on_probation_ = false;
  connect_by_ = Instant::max();
  answer_by_ = Instant::max();
  return !is_claimed() || up_.confirm(front_.get());
}

void Connection::finish(Outcome outcome, int os_errno) noexcept {
  outcome_ = outcome;
  os_errno_ = os_errno;
  phase_ = Phase::finished;
}

Step Connection::end(Outcome outcome, int os_errno) noexcept {
  finish(outcome, os_errno);
  return Step::finished;
}

// A warm leg may be dead when it is taken, and one that is being made may find nobody: no client
// needs to see that. The end of one whose PoP has heard of us is that PoP's answer. What a client
// has not been there to see is kept for it; one whose SYN is held can be told at once.
Step Connection::lose_back(Outcome outcome, int os_errno) noexcept {
  outcome_ = outcome;
  os_errno_ = os_errno;
  const bool refused = outcome == Outcome::refused_proof || ask_again_;
  const bool unheard = refused || (warm_ ? !has_heard_us() : !connected_);
  if (can_go_again() && unheard) {
    answer_by_ = Instant::max();
    phase_ = Phase::connecting;
    return Step::stale;
  }
  return give_up_back();
}

bool Connection::retry(OtherWay way) const noexcept {
  if (way == OtherWay::none || !can_go_again()) return false;
  return way == OtherWay::elsewhere || !blames_pop();
}

Step Connection::give_up_back(Ending reason) noexcept {
  outcome_ = reason.outcome;
  os_errno_ = reason.os_errno;
  return give_up_back();
}

Step Connection::give_up_back() noexcept {
  if (is_claimed() || held_) return end(outcome_, os_errno_);
  phase_ = Phase::doomed;
  answer_by_ = Instant::max();
  back_start_.reset();
  back_window_.reset();
  back_.reset();
  return Step::waiting;
}

void Connection::close() noexcept {
  front_window_.reset();
  back_window_.reset();
  client_start_.reset();
  front_start_.reset();
  back_start_.reset();
  // The proof of who we are goes before the reset: without it the other PoP takes the refusal of a
  // target for somebody else's at our port.
  if (is_leg_ && outcome_ != Outcome::closed && front_.get() >= 0 && !down_.prefix().empty()) {
    down_.sink_ready();
    static_cast<void>(down_.push_prefix(front_.get()));
  }
  if (outcome_ == Outcome::closed) {
    for (const int socket : {front_.get(), back_.get()}) {
      if (socket >= 0) end_in_order(socket);
    }
  }
  back_.reset();
  front_.reset();
}

}  // namespace tw::relay
