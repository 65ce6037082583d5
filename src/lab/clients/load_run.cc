#include "lab/clients/load_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/random.h"
#include "lab/clients/bystander.h"
#include "lab/clients/flood.h"
#include "lab/clients/keys.h"
#include "lab/clients/load_loop.h"
#include "lab/clients/load_sender.h"
#include "lab/clients/session_array.h"
#include "lab/clients/sink.h"

namespace tw::lab {
namespace {

constexpr Duration step_wait = 5ms;
constexpr Duration say_interval = 1s;
/// An ICMP error this early, and no answer: nobody is there, and waiting will not change it.
constexpr Duration refusal_patience = 1s;
constexpr std::uint32_t handshakes_per_step = 8;
constexpr Duration drain_step = 200ms, drain_limit = 2s, watch_step = 100ms;
constexpr Duration start_delay = 5ms;  // between starting the threads and the first packet

/// One run: what it has opened, in the order in which it is needed.
class LoadRun {
 public:
  LoadRun(const ClientsOptions& options, Interrupt& interrupt, const Say& say)
      : options_(options), interrupt_(interrupt), say_(say), number_(SystemRandom{}.next()) {
    report_.options = options;
  }

  Result<void> open();
  /// Handshakes with all peers and the bystander.
  Result<void> establish();
  void handshakes_only();
  Result<void> load();
  /// A bystander or a flood without load.
  void beside_only();
  ClientsReport report() {
    report_.interrupted = interrupt_.fired();
    return std::move(report_);
  }

 private:
  Result<void> open_sessions();
  SessionArray& any_session() { return sessions_ ? *sessions_ : bystander_->session(); }
  std::uint64_t completed() const;
  void step_handshakes();
  Error no_handshake();
  Result<void> seal_ahead();
  void watch_load(const LoadLoop& loop);
  void drain();
  void stop_beside();
  void say(const std::string& what);

  void report_cpu(std::string name, const CpuTime& before, Duration time);
  void report_handshakes(std::uint64_t count, Duration time);
  void report_load(const LoadLoop& loop, std::uint64_t handshakes_before);
  void report_beside(Duration time);

  const ClientsOptions& options_;
  Interrupt& interrupt_;
  const Say& say_;
  std::uint64_t number_;
  SystemClock clock_;
  std::unique_ptr<Pattern> pattern_;
  std::unique_ptr<SessionArray> sessions_;
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<Bystander> bystander_;
  std::unique_ptr<Flood> flood_;
  std::unique_ptr<LoadSender> sender_;
  Instant said_at_;
  ClientsReport report_;
};

void LoadRun::say(const std::string& what) {
  const Instant now = clock_.now();
  if (now - said_at_ < say_interval) return;
  said_at_ = now;
  say_(what);
}

Result<void> LoadRun::open() {
  if (options_.sends_load()) {
    pattern_ = std::make_unique<Pattern>(number_, options_.size - PacketWriter::header_bytes);
    auto sink = Sink::start(options_, *pattern_);
    if (!sink) return std::unexpected(sink.error());
    sink_ = std::move(*sink);
  }
  if (options_.bystander) {
    auto bystander = Bystander::open(options_, number_, clock_);
    if (!bystander) return std::unexpected(bystander.error());
    bystander_ = std::move(*bystander);
  }
  if (options_.flood != FloodKind::none) {
    auto flood = Flood::open(options_, clock_);
    if (!flood) return std::unexpected(flood.error());
    flood_ = std::move(*flood);
  }
  return options_.peers > 0 ? open_sessions() : Result<void>{};
}

Result<void> LoadRun::open_sessions() {
  auto sessions = SessionArray::open({.target = options_.target,
                                      .target_key = target_public_key(options_),
                                      .seed = options_.seed,
                                      .first_client = 0,
                                      .sessions = options_.peers,
                                      .sockets = options_.socket_count()},
                                     clock_);
  if (!sessions) return std::unexpected(sessions.error());
  sessions_ = std::move(*sessions);
  return {};
}

/// Waits for answers when there is nothing left to begin.
void LoadRun::step_handshakes() {
  if (bystander_) {
    bystander_->session().begin_handshakes(1, 1);
    bystander_->session().turn(clock_.now());
  }
  if (sessions_) {
    sessions_->begin_handshakes(options_.outstanding, handshakes_per_step);
    sessions_->turn(clock_.now());
  }
  if (!any_session().can_begin(options_.outstanding)) any_session().wait(step_wait);
}

Error LoadRun::no_handshake() {
  const SessionArray& sessions = any_session();
  const std::string target = options_.target.text();
  const auto seconds = std::chrono::duration<double>(options_.handshake_timeout).count();
  std::string why = fmt::format("nothing came back within {:g} s", seconds);
  if (sessions.was_refused()) why = "nothing listens there, or no way leads there";
  if (sessions.counters().cookies.value() > 0) why = "it is under load and sends cookies only";
  if (sessions.counters().refused.value() > 0) why = "its answers are to somebody else's key";
  return {
      .kind = Error::Kind::unavailable,
      .detail = fmt::format(
          "no handshake with {} was completed: {}. Does it run, with what --print-config writes?",
          target, why)};
}

std::uint64_t LoadRun::completed() const {
  return (sessions_ ? sessions_->counters().completed.value() : 0) +
         (bystander_ ? bystander_->session().counters().completed.value() : 0);
}

Result<void> LoadRun::establish() {
  const Instant begin = clock_.now();
  const CpuTime before = thread_cpu();
  for (std::uint32_t i = 0; i < options_.peers; ++i) sessions_->want_handshake(i);
  if (bystander_) bystander_->session().want_handshake(0);
  const std::uint64_t all = std::uint64_t{options_.peers} + (bystander_ ? 1 : 0);
  while (completed() < all && !interrupt_.fired()) {
    const Duration passed = clock_.now() - begin;
    if (passed >= options_.handshake_timeout) break;
    if (completed() == 0 && passed >= refusal_patience && any_session().was_refused()) break;
    step_handshakes();
    say(fmt::format("handshakes: {} of {}", completed(), all));
  }
  if (interrupt_.fired()) return interrupted();
  if (completed() == 0) return std::unexpected(no_handshake());
  const Duration time = clock_.now() - begin;
  if (sessions_) report_handshakes(sessions_->counters().completed.value(), time);
  report_cpu("handshakes", before, time);
  return {};
}

void LoadRun::handshakes_only() {
  sessions_->set_endless_handshakes(true);
  if (flood_) flood_->start();
  const Instant begin = clock_.now(), measure = begin + options_.warmup;
  if (bystander_) bystander_->start(begin, measure);
  for (std::uint32_t i = 0; i < options_.peers; ++i) sessions_->want_handshake(i);
  Instant now = begin;
  std::optional<std::uint64_t> before;
  CpuTime cpu_before;
  for (; now < measure + options_.duration && !interrupt_.fired(); now = clock_.now()) {
    if (!before && now >= measure) {
      before = sessions_->counters().completed.value();
      cpu_before = thread_cpu();
      sessions_->clear_handshake_times();
    }
    sessions_->begin_handshakes(options_.outstanding, handshakes_per_step);
    sessions_->turn(clock_.now());
    if (!sessions_->can_begin(options_.outstanding)) sessions_->wait(step_wait);
    say(fmt::format("handshakes: {}", sessions_->counters().completed.value()));
  }
  sessions_->set_endless_handshakes(false);
  stop_beside();
  const std::uint64_t after = sessions_->counters().completed.value();
  const Duration time = std::max(now - measure, Duration::zero());
  report_handshakes(after - before.value_or(after), time);
  report_.threads.clear();
  report_cpu("handshakes", cpu_before, time);
  report_beside(now - begin);
}

Result<void> LoadRun::seal_ahead() {
  const Duration all = options_.warmup + options_.duration;
  std::uint64_t packets = options_.packets_in(all);
  std::uint64_t warmup = options_.packets_in(options_.warmup);
  if (packets == 0) {  // as fast as possible: as many as there is memory for, and all of them count
    packets = options_.ahead_bytes / options_.wire_size();
    warmup = 0;
  }
  say_("sealing ahead");
  if (sender_->seal_ahead(packets, warmup, clock_.now())) return {};
  return make_error(Error::Kind::exhausted, "no memory for what is to be sealed ahead");
}

void LoadRun::watch_load(const LoadLoop& loop) {
  while (!loop.is_done() && interrupt_.pause(watch_step)) {
    say(fmt::format("load: {} sent, {} arrived", sender_->counters().sent.value(),
                    sink_->arrivals().datagrams()));
  }
}

/// Waits for what is in the tunnel: it may still come out.
void LoadRun::drain() {
  const Instant limit = clock_.now() + drain_limit;
  std::uint64_t before = 0;
  do {
    before = sink_->arrivals().datagrams();
  } while (interrupt_.pause(drain_step) && clock_.now() < limit &&
           sink_->arrivals().datagrams() != before);
}

Result<void> LoadRun::load() {
  sender_ = std::make_unique<LoadSender>(options_, *sessions_, *pattern_);
  if (options_.sealed_ahead) {
    if (Result<void> sealed = seal_ahead(); !sealed) return sealed;
  }
  LoadLoop loop{options_, clock_, *sessions_, *sender_};
  const std::uint64_t handshakes = sessions_->counters().completed.value();
  const Instant begin = clock_.now() + start_delay, measure = begin + options_.warmup;
  if (flood_) flood_->start();
  if (bystander_) bystander_->start(begin, measure);
  loop.start(begin, measure, measure + options_.duration);
  watch_load(loop);
  loop.stop();
  if (flood_) flood_->stop();
  if (bystander_) bystander_->finish();
  drain();
  stop_beside();
  sink_->stop();
  report_load(loop, handshakes);
  report_beside(clock_.now() - begin);
  return {};
}

void LoadRun::beside_only() {
  const Instant begin = clock_.now(), measure = begin + options_.warmup;
  if (flood_) flood_->start();
  if (bystander_) bystander_->start(begin, measure);
  while (clock_.now() < measure + options_.duration && interrupt_.pause(watch_step)) {
    if (flood_) say(fmt::format("flood: {} sent", flood_->sent()));
  }
  if (bystander_) bystander_->finish();
  if (bystander_) interrupt_.pause(drain_step);
  stop_beside();
  report_beside(clock_.now() - begin);
}

void LoadRun::stop_beside() {
  if (flood_) flood_->stop();
  if (bystander_) bystander_->stop();
}

void LoadRun::report_cpu(std::string name, const CpuTime& before, Duration time) {
  const CpuTime now = thread_cpu();
  report_.threads.push_back(
      {std::move(name), {now.user - before.user, now.system - before.system}, time});
}

void LoadRun::report_handshakes(std::uint64_t count, Duration time) {
  const HandshakeCounters& counters = sessions_->counters();
  report_.handshakes = {.established = sessions_->established(clock_.now()),
                        .completed = count,
                        .time = time,
                        .initiations = counters.initiations.value(),
                        .retries = counters.retries.value(),
                        .cookies = counters.cookies.value(),
                        .refused = counters.refused.value(),
                        .gave_up = counters.gave_up.value(),
                        .unsent = counters.unsent.value(),
                        .response = LatencySummary::of(sessions_->handshake_times())};
}

void LoadRun::report_load(const LoadLoop& loop, std::uint64_t handshakes_before) {
  const SendCounters& sent = sender_->counters();
  const Arrivals& came = sink_->arrivals();
  report_.load =
      LoadReport{.time = loop.measured_time(),
                 .sent = sent.measured.value(),
                 .received = came.received(),
                 .reordered = came.reordered(),
                 .repeated = came.repeated(),
                 .corrupt = came.corrupt(),
                 .foreign = came.foreign(),
                 .sink_drops = sink_->kernel_drops(),
                 .late = sent.late.value(),
                 .skipped = loop.skipped_packets(),
                 .refused = sent.refused.value(),
                 .no_keypair = sent.no_keypair.value(),
                 .most_late = loop.most_late(),
                 .handshakes = sessions_->counters().completed.value() - handshakes_before,
                 .sent_by_peer = sender_->sent_by_peer(),
                 .arrivals_by_peer = came.peers()};
  report_.threads.push_back({"load", loop.cpu(), loop.time()});
  report_.threads.push_back({"sink", sink_->cpu(), loop.time()});
}

void LoadRun::report_beside(Duration time) {
  if (bystander_) {
    report_.bystander = BystanderReport{.sent = bystander_->sent(),
                                        .received = bystander_->received(),
                                        .round_trip = LatencySummary::of(bystander_->round_trips()),
                                        .late = LatencySummary::of(bystander_->lateness())};
    report_.threads.push_back({"bystander", bystander_->cpu(), time});
  }
  if (flood_) {
    report_.flood = FloodReport{flood_->sent(), flood_->refused(), flood_->time()};
    report_.threads.push_back({"flood", flood_->cpu(), flood_->time()});
  }
}

}  // namespace

Result<ClientsReport> run_clients(const ClientsOptions& options, Interrupt& interrupt,
                                  const Say& say) {
  if (Result<void> sound = check(options); !sound) return std::unexpected(sound.error());
  LoadRun run{options, interrupt, say};
  if (Result<void> opened = run.open(); !opened) return std::unexpected(opened.error());
  if (options.peers > 0 || options.bystander) {
    if (Result<void> done = run.establish(); !done) return std::unexpected(done.error());
  }
  if (options.handshakes_only) {
    run.handshakes_only();
  } else if (options.peers == 0) {
    run.beside_only();
  } else if (Result<void> done = run.load(); !done) {
    return std::unexpected(done.error());
  }
  return run.report();
}

}  // namespace tw::lab
