#include "relay/stream/connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "relay/sockets/sockets.h"

namespace tw::relay {

Connection::Connection(Journey journey, UniqueFd front, Endpoint peer, Instant now) noexcept
    : journey_(std::move(journey)),
      sockets_(std::move(front)),
      peer_(peer),
      times_(now),
      liveness_(now) {}

Connection Connection::leg(UniqueFd front, Endpoint peer, std::shared_ptr<PopProof> proof,
                           Instant now) noexcept {
  return {Journey::of_leg(FrontProof{std::move(proof)}, now), std::move(front), peer, now};
}

Connection Connection::client(UniqueFd front, Endpoint peer, Endpoint target,
                              Instant now) noexcept {
  Connection connection{Journey::of_client(now), std::move(front), peer, now};
  connection.client_ = peer;
  connection.target_ = target;
  connection.has_target_ = true;
  return connection;
}

Connection Connection::half(Endpoint client, Endpoint target, Instant claim_by,
                            Instant now) noexcept {
  Connection connection{Journey::of_syn(claim_by, now), UniqueFd{}, client, now};
  connection.client_ = client;
  connection.target_ = target;
  connection.has_target_ = true;
  return connection;
}

void Connection::share(ReceiveBudget& budget, std::uint32_t leg_memory_most,
                       Resumer* announcer) noexcept {
  windows_.share(budget, leg_memory_most, announcer, window_ends());
  down_.set_cautious(windows_.awaits_client());
}

void Connection::claim(UniqueFd front, Instant now) noexcept {
  sockets_.set_front(std::move(front));
  journey_.claim(now);
  times_.reach(Stage::claim, now);
  if (!windows_.awaits_client()) return;
  windows_.meet_client(window_ends(), now);
  down_.set_cautious(false);
}

// ---- The way

Via Connection::via() const noexcept {
  if (is_leg()) return Via::for_pop;
  if (!pop_) return Via::direct;
  return journey_.attempts().is_warm() ? Via::warm_leg : Via::fresh_leg;
}

LegRequest Connection::request() const noexcept {
  const bool asked = front_answer_ != FrontAnswer::not_wanted;
  return {.client = client_,
          .target = target_,
          // With Fast Open a socket is connected before the server has answered.
          .fast_open = fast_open_ && !asked && sockets_.front() >= 0 && has_bytes(sockets_.front()),
          .hops = hops_,
          .answer = asked || claim().held(),
          .unclaimed = windows_.awaits_client()};
}

void Connection::go_directly(Leg leg, Instant now) {
  begin_back(std::move(leg), std::nullopt, Duration::zero(), now);
}

void Connection::go_onward(Leg leg, PopId pop, Duration patience, Instant now) {
  begin_back(std::move(leg), pop, patience, now);
}

void Connection::begin_back(Leg leg, std::optional<PopId> pop, Duration patience, Instant now) {
  starts_.drop_back();
  windows_.drop_back();
  sockets_.set_back(std::move(leg.socket), leg.warm);
  pop_ = pop;
  up_.begin_sink(leg.header, /*retain=*/pop_.has_value(), /*apart=*/leg.held_late);
  if (leg.connected) up_.sink_ready();
  liveness_.begin(Side::back, now);
  windows_.begin_back(window_ends(), leg);
  journey_.go({.proof = BackProof{std::move(leg.proof)},
               .by_leg = pop_.has_value(),
               .warm = leg.warm,
               .connected = leg.connected,
               .answers = leg.answers,
               .patience = patience},
              now);
}

// ---- Its turns

void Connection::on_events(Side side, std::uint32_t epoll_events) noexcept {
  const bool failed = (epoll_events & EPOLLERR) != 0;
  const bool readable = (epoll_events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0;
  const bool writable = (epoll_events & (EPOLLOUT | EPOLLHUP)) != 0;
  if (failed) sockets_.report_failure(side);
  // epoll tells a deaf side of its end, but not of an urgent byte before it.
  const bool urgent = (epoll_events & EPOLLPRI) != 0 || (readable && gathering_.is_deaf(side));
  if (side == Side::front) {
    front_ended_ |= (epoll_events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    if (readable) up_.source_ready();
    if (front_ended_) up_.source_closing();
    if (urgent) up_.source_urgent();
    if (writable) down_.sink_ready();
  } else {
    if (auto* const connecting = journey_.in<Connecting>()) connecting->writable |= writable;
    if (readable) down_.source_ready();
    if ((epoll_events & (EPOLLRDHUP | EPOLLHUP)) != 0) down_.source_closing();
    if (urgent) down_.source_urgent();
    if (writable) up_.sink_ready();
  }
}

void Connection::end_gathering() noexcept {
  gathering_.end_wait();
  if (gathering_.is_deaf(Side::front)) up_.source_ready();
  if (gathering_.is_deaf(Side::back)) down_.source_ready();
}

Progress Connection::advance(Instant now, PipePool& pipes, std::size_t quantum) noexcept {
  const std::uint64_t up = up_.bytes(), down = down_.bytes();
  Progress progress;
  progress.step = take_step(now, pipes, quantum, progress);
  progress.verified = claim().held() && is<Relaying>();
  progress.bytes_upstream = up_.bytes() - up;
  progress.bytes_downstream = down_.bytes() - down;
  watch_flows(now);
  return progress;
}

Step Connection::take_step(Instant now, PipePool& pipes, std::size_t quantum,
                           Progress& progress) noexcept {
  if (const int error = sockets_.take_failure(Side::front)) return end(Outcome::reset, error);
  Step step = Step::waiting;
  if (is<ReadingHeader>()) {
    step = read_header(now);
  } else if (is<Connecting>()) {
    step = finish_connect(now, progress);
  } else if (is<Greeting>()) {
    step = take_welcome(now, progress);
  } else if (is<Asking>()) {
    step = take_answer(now, progress);
  } else if (is<Finished>()) {
    step = Step::finished;
  }
  return is<Relaying>() ? relay(now, pipes, quantum, progress) : step;
}

// ---- The header of a front that is a leg

Step Connection::read_header(Instant now) noexcept {
  times_.begin(now);  // a leg that waits for its target has not begun
  for (;;) {
    const LegHeader header =
        read_leg_header(sockets_.front(), front_ended_, journey_.in<ReadingHeader>()->unskipped);
    switch (header.state) {
      case LegHeader::State::empty:
        return Step::waiting;
      case LegHeader::State::unused:
        return end(Outcome::closed);
      case LegHeader::State::incomplete:
        journey_.begin_header(now);
        return Step::waiting;
      case LegHeader::State::malformed:
        return end(Outcome::bad_header);
      case LegHeader::State::failed:
        return end(Outcome::reset, header.os_errno);
      case LegHeader::State::hello:
        if (const Step step = take_hello(header, now); step != Step::more) return step;
        continue;
      case LegHeader::State::complete:
        return take_header(header, now);
    }
  }
}

Step Connection::take_hello(const LegHeader& hello, Instant now) noexcept {
  FrontProof& proof = journey_.in<ReadingHeader>()->proof;
  const auto judged = proof.judge_hello(hello, ends_of_accepted(sockets_.front()), now);
  if (judged.refused) return end(*judged.refused);
  if (!sockets_.send_whole(Side::front, *judged.answer)) return end(Outcome::reset, errno);
  journey_.answer_hello(now);
  return Step::more;
}

// An answer goes with the first bytes that go back; a refusal at once, before the reset.
Step Connection::take_header(const LegHeader& header, Instant now) noexcept {
  if (header.header.local) return end(Outcome::closed);  // a health check
  FrontProof& proof = journey_.in<ReadingHeader>()->proof;
  if (proof.is_asked_for()) {
    const auto ends = ends_of_accepted(sockets_.front());
    if (!ends) return end(Outcome::reset, ENOTCONN);
    const auto judged = proof.judge_header(header, *ends, now);
    if (judged.refused) {
      if (judged.answer) sockets_.send_whole(Side::front, *judged.answer);
      return end(*judged.refused);
    }
    if (judged.answer) down_.prepend(ByteView{*judged.answer}, /*may_wait=*/true);
  }
  journey_.take_header();
  has_target_ = true;
  client_ = header.header.source;
  target_ = header.header.target;
  fast_open_ = header.options.fast_open;
  if (header.options.answer) front_answer_ = FrontAnswer::owed;
  hops_ = static_cast<std::uint8_t>(std::min(header.options.hops + 1, UINT8_MAX));
  windows_.await_client(window_ends());
  down_.set_cautious(windows_.awaits_client());
  return Step::header;
}

// ---- The back, until it relays

Step Connection::finish_connect(Instant now, Progress& progress) noexcept {
  if (const int error = sockets_.take_failure(Side::back)) {
    // A connection that is not made is refused; only one that was can be reset.
    progress.connected = error == ECONNRESET || error == EPIPE;
    if (!progress.connected) return lose_back(Outcome::connect_failed, error);
    journey_.connect_and_lose();
    return lose_back(Outcome::reset, error);
  }
  const Connecting& connecting = *journey_.in<Connecting>();
  if (!connecting.writable) return Step::waiting;
  progress.connected = true;
  journey_.connect(now);
  times_.reach(Stage::connect, now);
  return connecting.proof.is_owed() ? ask_for_proof(now, progress) : go_on(now, progress);
}

Step Connection::ask_for_proof(Instant now, Progress& progress) noexcept {
  const auto ends = ends_of_connected(sockets_.back());
  if (!ends) return lose_back(Outcome::reset, ENOTCONN);
  const auto hello = journey_.in<Connecting>()->proof.ask(up_.prefix(), *ends, now);
  if (!hello) return go_on(now, progress);
  if (!sockets_.send_whole(Side::back, *hello)) return lose_back(Outcome::reset, errno);
  journey_.greet();
  return Step::waiting;
}

// The header goes when the hello has been answered, bound to the answer.
Step Connection::take_welcome(Instant now, Progress& progress) noexcept {
  BackProof& proof = journey_.in<Greeting>()->proof;
  if (const auto step = take_proof(proof, now, progress)) return *step;
  if (proof.is_awaited()) return Step::waiting;
  return go_on(now, progress);
}

// Returns how the connection goes on if the back is lost by it. Errors of the socket are not asked
// for before: what it has received until it failed is still there.
std::optional<Step> Connection::take_proof(BackProof& proof, Instant now,
                                           Progress& progress) noexcept {
  using State = BackProof::Judgement::State;
  const bool greeted = is<Greeting>();
  const auto judged = proof.judge(proof.answer().read(sockets_.back()), greeted, now);
  if (judged.state == State::incomplete) return std::nullopt;
  if (judged.state == State::refused) {
    return lose_back(Outcome::refused_proof, judged.os_errno, judged.again);
  }
  if (greeted) proof.seal_bound(up_.prefix());
  proof.settle();
  journey_.prove(now);
  if (!is_committed() && !commit(progress)) return end(Outcome::reset, up_.os_errno());
  return std::nullopt;
}

Step Connection::go_on(Instant now, Progress& progress) noexcept {
  return journey_.go_on(now, fast_open_) ? begin_relaying() : take_answer(now, progress);
}

// The far server refuses: that is not a reset of something that was. Anything else that comes
// instead of the answer is from no PoP that knows the question.
Step Connection::take_answer(Instant now, Progress& progress) noexcept {
  BackProof& proof = journey_.in<Asking>()->proof;
  const bool prefix_lost = up_.push_prefix(sockets_.back()) == Flow::broken;
  if (proof.is_awaited()) {
    if (const auto step = take_proof(proof, now, progress)) return *step;
    if (proof.is_awaited()) return Step::waiting;
  }
  if (const int error = sockets_.take_failure(Side::back)) {
    return lose_back(Outcome::connect_failed, error);
  }
  if (prefix_lost) return lose_back(Outcome::connect_failed, up_.os_errno());
  int os_errno = 0;
  switch (read_leg_answer(sockets_.back(), os_errno)) {
    case LegAnswer::none:
      return Step::waiting;
    case LegAnswer::connected:
      if (!is_committed() && !commit(progress)) return end(Outcome::reset, up_.os_errno());
      journey_.answer(now, fast_open_);
      return begin_relaying();
    case LegAnswer::failed:
      break;
  }
  return lose_back(Outcome::connect_failed, os_errno);
}

Step Connection::begin_relaying() noexcept {
  if (front_answer_ == FrontAnswer::owed) {
    front_answer_ = FrontAnswer::given;
    down_.prepend({leg_answer_connected});
  }
  return Step::more;
}

// ---- Bytes

Step Connection::relay(Instant now, PipePool& pipes, std::size_t quantum,
                       Progress& progress) noexcept {
  BackProof& proof = journey_.in<Relaying>()->proof;
  if (proof.is_awaited() && down_.has_source()) {
    if (const auto step = take_proof(proof, now, progress)) return *step;
  }
  if (const int error = sockets_.take_failure(Side::back)) return lose_back(Outcome::reset, error);
  if (!claim().is_made()) {
    const bool broken = up_.push_prefix(sockets_.back()) == Flow::broken;
    return broken ? lose_back(Outcome::reset, up_.os_errno()) : Step::waiting;
  }
  windows_.before_turn(window_ends(), up_.has_source() || down_.has_source(), now);
  down_.set_cautious(windows_.awaits_client());
  gathering_.learn(up_.bytes() + down_.bytes(), sockets_.front(), sockets_.back());
  if (now - journey_.last_activity() > gathering_.pause()) {
    up_.interrupt_run();
    down_.interrupt_run();
  }
  const Flow up = pump_up(now, pipes, quantum);
  if (up == Flow::broken && up_.sink_broke()) return lose_back(Outcome::reset, up_.os_errno());
  if (up == Flow::broken) return end(Outcome::reset, up_.os_errno());
  const Flow down = proof.is_awaited() ? Flow::waiting : pump_down(now, pipes, quantum);
  if (down == Flow::broken) return end(Outcome::reset, down_.os_errno());
  if (fast_open_ && down_.bytes() > 0) journey_.hear_server();
  if (!is_committed() && (down_.bytes() > 0 || down_.ended())) {
    if (!commit(progress)) return end(Outcome::reset, up_.os_errno());
  }

  if (up == Flow::ended && down == Flow::ended) return end(Outcome::closed);
  gathering_.note(up == Flow::gather, down == Flow::gather);
  if (up == Flow::more || down == Flow::more) return Step::more;
  if (up == Flow::gather || down == Flow::gather) return Step::gather;
  if (up == Flow::no_pipe || down == Flow::no_pipe) return Step::no_pipe;
  return Step::waiting;
}

Flow Connection::pump_up(Instant now, PipePool& pipes, std::size_t quantum) noexcept {
  const std::uint64_t before = up_.bytes();
  const bool ended = up_.ended();
  const Flow flow = up_.pump(sockets_.front(), sockets_.back(), pipes, quantum, down_.ended());
  if (flow == Flow::broken) return flow;
  if (up_.bytes() > 0 && !times_.has_reached(Stage::request)) times_.reach(Stage::request, now);
  if (down_.has_source()) starts_.before_answer(now);
  if (up_.bytes() != before) {
    if (!up_.is_transfer()) down_.interrupt_run();
    liveness_.hear(Side::front, now);
  }
  if (up_.bytes() != before || up_.ended() != ended) journey_.move(now);
  return flow;
}

Flow Connection::pump_down(Instant now, PipePool& pipes, std::size_t quantum) noexcept {
  const std::uint64_t before = down_.bytes();
  const bool ended = down_.ended();
  const Flow flow = down_.pump(sockets_.back(), sockets_.front(), pipes, quantum, up_.ended());
  if (down_.bytes() > 0 && !times_.has_reached(Stage::first_byte)) {
    times_.reach(Stage::first_byte, now);
  }
  if (flow == Flow::broken) return flow;
  if (down_.bytes() != before) {
    if (!down_.is_transfer()) up_.interrupt_run();
    liveness_.hear(Side::back, now);
  }
  if (down_.bytes() != before || down_.ended() != ended) journey_.move(now);
  return flow;
}

// ---- Beside the bytes

ConnectionWindows::Ends Connection::window_ends() const noexcept {
  return {.front = sockets_.front(),
          .back = sockets_.back(),
          .from_pop = is_leg(),
          .to_pop = pop_.has_value(),
          .fast_open = fast_open_,
          .client = client_.address,
          .bytes_upstream = up_.bytes(),
          .bytes_downstream = down_.bytes()};
}

void Connection::watch_flows(Instant now) noexcept {
  if (!is<Relaying>()) return;
  starts_.on_written(up_.bytes(), down_.bytes(), now);
  windows_.after_turn(window_ends(), now);
}

// A socket that cannot be watched has failed, and says so itself.
void Connection::tend(Instant now, const RelayLimits& limits) noexcept {
  watch_flows(now);
  auto* const relaying = journey_.in<Relaying>();
  if (relaying == nullptr || now < relaying->notice_death_from) return;
  relaying->notice_death_from = Instant::max();
  static_cast<void>(notice_death(sockets_.back(), limits));
}

// Bytes that a leg has taken may wait for minutes in the far PoP's buffers, where only that PoP can
// see them move: that PoP ends the silence, and this side follows.
Instant Connection::deadline(const RelayLimits& limits) const noexcept {
  const bool half_closed = (up_.ended() && !pop_) || (down_.ended() && !is_leg());
  const Instant earliest = journey_.deadline(limits, half_closed);
  if (!is<Relaying>()) return earliest;
  return std::min({earliest, windows_.deadline(), starts_.deadline()});
}

Step Connection::expire(Instant now) noexcept {
  const Journey::Expiry expiry = journey_.expire(now, sockets_);
  if (expiry.commits && !send_what_was_kept()) return end(Outcome::reset, up_.os_errno());
  drop_failed_back();
  return expiry.step;
}

// ---- Its end

bool Connection::commit(Progress& progress) noexcept {
  progress.answered = true;
  journey_.commit();
  return send_what_was_kept();
}

// False, with up_.os_errno(), if the front has failed.
bool Connection::send_what_was_kept() noexcept {
  return !claim().is_made() || up_.confirm(sockets_.front());
}

Step Connection::lose_back(Outcome outcome, int os_errno, bool again) noexcept {
  const Step step = journey_.lose_back(
      {.ending = {outcome, os_errno}, .restartable = up_.can_restart(), .again = again}, sockets_);
  drop_failed_back();
  return step;
}

Step Connection::give_up_back(Ending reason) noexcept {
  const Step step = journey_.give_up(reason);
  drop_failed_back();
  return step;
}

void Connection::drop_failed_back() noexcept {
  if (!is<Failed>()) return;
  starts_.drop_back();
  windows_.drop_back();
  sockets_.drop_back();
}

bool Connection::is_waiting_leg() const noexcept {
  const auto* reading = journey_.in<ReadingHeader>();
  return reading != nullptr && !reading->begun;
}

bool Connection::may_wait_for(const std::shared_ptr<PopProof>& pop) const noexcept {
  const auto* reading = journey_.in<ReadingHeader>();
  return reading != nullptr && reading->proof.is_for(pop) &&
         (reading->begun || reading->proof.may_wait());
}

void Connection::close() noexcept {
  windows_.close();
  starts_.close();
  const bool in_order = outcome() == Outcome::closed;
  // The proof of who we are goes before the reset: without it the other PoP takes the refusal of a
  // target for somebody else's at our port.
  if (is_leg() && !in_order && sockets_.front() >= 0 && !down_.prefix().empty()) {
    down_.sink_ready();
    static_cast<void>(down_.push_prefix(sockets_.front()));
  }
  sockets_.close(in_order);
}

}  // namespace tw::relay
