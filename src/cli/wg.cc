// thalweg wg: a WireGuard device that `wg` and wg-quick configure, in place of the kernel's. In the
// background it is a child of init: the command returns when the device answers, or says why not.
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/drop.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "cli/command.h"
#include "cli/tuning_options.h"
#include "machine/privileges.h"
#include "node/confine/confine.h"
#include "node/quick/interrupts.h"
#include "node/tunnel/tunnel_device.h"
#include "node/uapi/uapi_server.h"

namespace tw::cli {
namespace {

/// Names of variables that wireguard-go takes too.
constexpr const char* foreground_variable = "WG_PROCESS_FOREGROUND";
constexpr const char* log_level_variable = "LOG_LEVEL";

std::string_view variable(const char* name) noexcept {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets any
  return value == nullptr ? std::string_view{} : std::string_view{value};
}

struct LogChoice {
  log::Level level = log::Level::info;
  bool silent = false;
};

LogChoice log_choice() noexcept {
  const std::string_view name = variable(log_level_variable);
  if (name == "verbose" || name == "debug") return {log::Level::debug};
  if (name == "error") return {log::Level::error};
  if (name == "silent") return {log::Level::error, true};
  return {};
}

void complain(const std::string& interface, std::string_view what) {
  fmt::print(stderr, "thalweg wg {}: {}\n", interface, what);
}

/// "malformed 3, replayed 1": what is not zero, over all that counted it.
template <typename... Counters>
std::string drops_text(const Counters&... counters) {
  std::string text;
  for (std::size_t i = 0; i < drop_count; ++i) {
    const auto reason = static_cast<Drop>(i);
    const std::uint64_t count = (counters.of(reason) + ...);
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name_of(reason), count);
  }
  return text.empty() ? "nothing" : text;
}

/// Everything between opening and closing.
class Service {
 public:
  /// Blocks the signals that stop it, opens device and socket, drops privileges, starts.
  Result<void> start(const node::DeviceSettings& settings);
  /// Until a signal, or until the interface or the socket file is gone; says which.
  std::string_view serve();
  /// Logs which engine was chosen, and what the process may not do any more.
  void log_choices() const;
  /// Logs what became of the packets.
  void log_totals() const;

 private:
  SystemClock clock_;
  UniqueFd signals_;
  std::string confinement_;
  std::unique_ptr<node::Device> device_;
  std::unique_ptr<node::UapiServer> server_;
};

Result<void> Service::start(const node::DeviceSettings& settings) {
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
  sigset_t stops;
  sigemptyset(&stops);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&stops, number);
  ::pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  signals_.reset(::signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return system_error("signalfd");

  Result<std::unique_ptr<node::Device>> device = node::Device::open(settings);
  if (!device) return std::unexpected(device.error());
  device_ = std::move(*device);
  Result<std::unique_ptr<node::UapiServer>> server =
      node::UapiServer::open(device_->interface(), *device_, clock_);
  if (!server) return std::unexpected(server.error());
  server_ = std::move(*server);
  // Capabilities belong to threads: before the first one.
  if (Result<void> dropped = drop_privileges(); !dropped) return dropped;
  std::vector<node::ReachRule> reach = node::common_reach();
  reach.push_back({node::uapi_folder, node::Reach::remove});
  const Result<node::Confinement> confined = node::confine(reach);
  if (!confined) return std::unexpected(confined.error());
  confinement_ = confined->text();
  return device_->start();
}

std::string_view Service::serve() {
  std::array<pollfd, 3> sources{{{signals_.get(), POLLIN, 0},
                                 {device_->gone_fd(), POLLIN, 0},
                                 {server_->wait_fd(), POLLIN, 0}}};
  for (;;) {
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) return "poll has failed";
    if (sources[0].revents != 0) return "asked to stop";
    if (sources[1].revents != 0) return "the interface is gone";
    if (sources[2].revents != 0) server_->handle();
    if (server_->socket_removed()) return "the socket file is gone";
  }
}

void Service::log_choices() const {
  log::info("{}", confinement_);
  const crypto::AeadChoice& cipher = device_->cipher();
  log::info("cipher {}, {} ns a packet", cipher.chosen.name, cipher.per_packet.count());
}

void Service::log_totals() const {
  const node::DeviceCounters counters = device_->counters();
  for (const lane::LaneCounters* const lane : counters.lanes) {
    const lane::DirectionCounters& from_wire = lane->from_wire;
    const lane::DirectionCounters& to_wire = lane->to_wire;
    log::info("from the wire: {} in, {} out, dropped {}", from_wire.received.value(),
              from_wire.sent.value(), drops_text(from_wire.drops, counters.handshakes.drops));
    log::info("to the wire: {} in, {} out, dropped {}", to_wire.received.value(),
              to_wire.sent.value(), drops_text(to_wire.drops));
  }
}

int run_service(const std::string& interface, Service& service) {
  service.log_choices();
  log::info("{}: up", interface);
  const std::string_view why = service.serve();
  log::info("{}: {}, going down", interface, why);
  service.log_totals();
  return 0;
}

int run_foreground(const node::DeviceSettings& settings) {
  const std::string& interface = settings.interface;
  Service service;
  if (Result<void> started = service.start(settings); !started) {
    complain(interface, started.error().text());
    return exit_failed;
  }
  if (log_choice().silent) {
    const UniqueFd nowhere{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
    if (nowhere) ::dup2(nowhere.get(), STDERR_FILENO);
  }
  return run_service(interface, service);
}

/// The child's part: reports a failure through the pipe, or success as one byte of zero.
int run_child(const node::DeviceSettings& settings, UniqueFd report) {
  const std::string& interface = settings.interface;
  ::setsid();
  Service service;
  const Result<void> started = service.start(settings);
  const std::string outcome = started ? std::string{'\0'} : started.error().text();
  if (::write(report.get(), outcome.data(), outcome.size()) < 0) return exit_failed;
  report.reset();
  if (!started) return exit_failed;
  if (::chdir("/") != 0) log::warning("{}: chdir /: errno {}", interface, errno);
  const UniqueFd nowhere{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  // Whoever names a level wants to read it where the command was given, as with wireguard-go.
  const bool keeps_output = !variable(log_level_variable).empty() && !log_choice().silent;
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (nowhere && (stream == STDIN_FILENO || !keeps_output)) ::dup2(nowhere.get(), stream);
  }
  return run_service(interface, service);
}

int run_background(const node::DeviceSettings& settings) {
  const std::string& interface = settings.interface;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    complain(interface, system_error("pipe").error().text());
    return exit_failed;
  }
  UniqueFd reading{ends[0]}, writing{ends[1]};
  // Before there is a child that could come up although whoever asked for it has given up.
  Result<node::Interrupts> interrupts = node::Interrupts::open();
  if (!interrupts) {
    complain(interface, interrupts.error().text());
    return exit_failed;
  }
  const pid_t child = ::fork();
  if (child < 0) {
    complain(interface, system_error("fork").error().text());
    return exit_failed;
  }
  if (child == 0) {
    reading.reset();
    sigset_t not_served;
    sigemptyset(&not_served);
    sigaddset(&not_served, SIGQUIT);
    ::pthread_sigmask(SIG_UNBLOCK, &not_served, nullptr);
    return run_child(settings, std::move(writing));
  }
  writing.reset();
  std::string outcome;
  std::array<char, 512> part;
  for (;;) {
    std::array<pollfd, 2> sources{{{reading.get(), POLLIN, 0}, {interrupts->fd(), POLLIN, 0}}};
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) break;
    if (interrupts->received() != 0) {
      // A session of its own: what came to our group did not come to it.
      ::kill(child, SIGTERM);
      ::waitpid(child, nullptr, 0);
      complain(interface, interrupts->error().text() + ", nothing is left");
      return exit_interrupted;
    }
    if (sources[0].revents == 0) continue;
    const ssize_t size = ::read(reading.get(), part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    outcome.append(part.data(), static_cast<std::size_t>(size));
  }
  if (outcome.size() == 1 && outcome.front() == '\0') return 0;
  ::waitpid(child, nullptr, 0);
  complain(interface, outcome.empty() ? "ended before it was up" : outcome);
  return exit_failed;
}

int run(const node::DeviceSettings& settings, bool foreground) {
  const std::string& interface = settings.interface;
  const std::vector<std::string> missing = missing_prerequisites(false);
  for (const std::string& what : missing) complain(interface, what);
  if (!missing.empty()) return exit_failed;
  if (Result<void> opened = log::open(log_choice().level); !opened) {
    complain(interface, opened.error().text());
    return exit_failed;
  }
  return foreground ? run_foreground(settings) : run_background(settings);
}

}  // namespace

void add_wg(CLI::App& app, int& exit_code) {
  struct Options {
    node::DeviceSettings settings;
    bool foreground = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "wg", "Make a WireGuard device that wg and wg-quick can configure; returns when it is up");
  command->add_option("interface", options->settings.interface, "Name of the interface to make")
      ->type_name("IFACE");
  command->add_flag("-f,--foreground", options->foreground, "Stay, and log to stderr");
  add_tuning_options(*command, options->settings.tuning);
  add_worker_options(*command, options->settings.workers);
  add_wg_quick(*command, exit_code);
  command->callback([command, options, &exit_code] {
    if (!command->get_subcommands().empty()) return;
    if (options->settings.interface.empty()) {
      fmt::print(stderr, "thalweg wg: name an interface, or write up FILE, down FILE\n");
      exit_code = exit_usage;
      return;
    }
    exit_code = run(options->settings, options->foreground || variable(foreground_variable) == "1");
  });
}

}  // namespace tw::cli
