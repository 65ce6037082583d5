// thalweg lab wan: the paper's experiment, every configuration in turns.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/report_output.h"
#include "lab/report/page.h"
#include "lab/wan/paper.h"
#include "lab/wan/wan.h"

namespace tw::cli {
namespace {

struct WanFlags {
  lab::WanOptions options;
  bool quick = false;
  bool json = false;
  std::string html, paper, loss;
  std::vector<std::string> configurations;
  std::vector<double> rtt_ms, rates_mbps;  ///< one for every link, or one for each
  std::vector<std::uint64_t> queues;
  std::string pop_congestion, leg_congestion;  ///< empty: as the ends'
};

int fail(const std::string& text) {
  std::fputs(fmt::format("thalweg lab wan: {}\n", text).c_str(), stderr);
  return exit_failed;
}

int misused(const std::string& text) {
  fail(text);
  return exit_usage;
}

std::vector<std::string> configuration_names() {
  std::vector<std::string> names;
  names.reserve(lab::configuration_count);
  for (const lab::Configuration configuration : lab::all_configurations) {
    names.emplace_back(lab::name_of(configuration));
  }
  return names;
}

/// One value is for every link. False if there are neither one nor three.
template <typename From, typename To>
bool spread(const std::vector<From>& values, To per_value, std::array<std::uint64_t, 3>& links) {
  if (values.empty()) return true;
  if (values.size() != 1 && values.size() != links.size()) return false;
  for (std::size_t link = 0; link < links.size(); ++link) {
    links[link] = per_value(values[values.size() == 1 ? 0 : link]);
  }
  return true;
}

/// What CLI11 has left as it was typed.
Result<void> read_options(WanFlags& flags, const CLI::App& command) {
  lab::WanOptions& options = flags.options;
  if (flags.quick) {
    if (command.count("--sizes") == 0) options.sizes = {10'000, 1'000'000};
    if (command.count("--runs") == 0) options.runs = 3;
    if (command.count("--warmups") == 0) options.warmups = 0;
  }
  // A size that is named twice would be one row of twice the runs.
  std::ranges::sort(options.sizes);
  const auto repeated = std::ranges::unique(options.sizes);
  options.sizes.erase(repeated.begin(), repeated.end());
  for (const std::string& name : flags.configurations) {
    if (const auto configuration = lab::parse_configuration(name)) {
      options.configurations.push_back(*configuration);
    }
  }
  if (!flags.rtt_ms.empty()) std::ranges::copy(flags.rtt_ms, options.rtt_ms.begin());
  const auto bits = [](double mbps) { return static_cast<std::uint64_t>(mbps * 1e6); };
  if (!spread(flags.rates_mbps, bits, options.rate_bps)) {
    return make_error(Error::Kind::config, "--rate: one for all links, or one for each of three");
  }
  if (!spread(flags.queues, std::identity{}, options.queue_bytes)) {
    return make_error(Error::Kind::config, "--queue: one for all links, or one for each of three");
  }
  if (!flags.loss.empty()) {
    if (auto read = lab::parse_loss(flags.loss, options.loss); !read) {
      return in_context("--loss", read.error());
    }
  }
  const auto given = [&](const std::string& name) {
    return name.empty() ? options.congestion.ends : name;
  };
  options.congestion.pops = given(flags.pop_congestion);
  options.congestion.legs = given(flags.leg_congestion);
  options.version = TW_VERSION;
  options.command = own_command();
  return {};
}

Result<lab::WanReport> measure(const lab::WanOptions& options, lab::Interrupt& interrupt) {
  lab::Progress progress;
  return lab::run_wan(options, interrupt, progress);
}

int present(const WanFlags& flags, const lab::WanReport& report) {
  const std::string text = flags.json ? lab::to_json(report) + "\n" : lab::to_table(report);
  auto done = print_report(text);
  if (done && !flags.html.empty()) {
    done = write_page(flags.html, lab::to_html(report, lab::wan_page()));
  }
  if (!done) return fail(done.error().text());
  if (report.interrupted) return exit_interrupted;
  if (!std::ranges::all_of(lab::rows_of(report), &lab::WanRow::sound)) {
    return fail("a download failed, or its checksum was wrong");
  }
  return 0;
}

int run(WanFlags& flags, const CLI::App& command) {
  if (Result<void> read = read_options(flags, command); !read) return misused(read.error().text());
  std::vector<lab::PaperFigure> paper;
  if (!flags.paper.empty()) {
    auto read = lab::read_paper(flags.paper);
    if (!read) return fail("--paper: " + read.error().text());
    paper = std::move(*read);
  }
  if (!flags.html.empty() && !can_be_written(flags.html)) {
    return fail("--html: cannot write " + flags.html + ": no such folder, or no permission");
  }
  auto interrupt = lab::Interrupt::watch();
  if (!interrupt) return fail(interrupt.error().text());
  try {
    auto report = measure(flags.options, *interrupt);
    if (report) {
      report->paper = lab::compare(paper, *report);
      return present(flags, *report);
    }
    if (!interrupt->fired()) return fail(report.error().text());
  } catch (const std::exception& surprise) {
    // What the experiment had made is gone by now: that is why nothing passes this line.
    return fail(surprise.what());
  }
  std::fputs(
      "thalweg lab wan: interrupted before there was anything to report; everything it had "
      "made is removed\n",
      stderr);
  return exit_interrupted;
}

void add_link_options(CLI::App& command, WanFlags& flags) {
  command
      .add_option("--rtt", flags.rtt_ms, "ms: client – R_C, R_C – R_S, R_S – server (32.7,215,26)")
      ->delimiter(',')
      ->expected(3)
      ->check(CLI::Range(0.0, 2000.0));
  command
      .add_option("--rate", flags.rates_mbps,
                  "Mbps each way: of all links, or of each of the three (1000)")
      ->delimiter(',')
      ->check(CLI::Range(1.0, 10'000.0));
  command
      .add_option("--queue", flags.queues,
                  "Bytes that wait before a line: of all links, or of each of the three; 0: 50 ms "
                  "of its rate")
      ->delimiter(',')
      ->transform(CLI::AsSizeValue(true))
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1'000'000'000}));
  command.add_option("--loss", flags.loss,
                     "Percent of segments lost each way, by link: client=0.1%,middle=…,server=…");
  command.add_option("--congestion", flags.options.congestion.ends,
                     "Congestion control of client, server and both PoPs (cubic)");
  command.add_option("--pop-congestion", flags.pop_congestion,
                     "Congestion control of the PoPs towards client and server (as --congestion)");
  command.add_option("--leg-congestion", flags.leg_congestion,
                     "Congestion control of the relay's legs (as --congestion)");
  command.add_flag("--server-nopush", flags.options.server_nopush,
                   "nginx sends headers and file together (tcp_nopush on)");
}

}  // namespace

void add_lab_wan(CLI::App& lab, int& exit_code) {
  auto flags = std::make_shared<WanFlags>();
  CLI::App* command = lab.add_subcommand(
      "wan", "The paper's experiment: downloads over a long way, each improvement by itself");
  command
      ->add_option("--sizes", flags->options.sizes,
                   "Sizes of the downloads, with commas (10KB,100KB,1MB,10MB)")
      ->delimiter(',')
      ->transform(CLI::AsSizeValue(true))
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}));
  command
      ->add_option("--configurations", flags->configurations,
                   fmt::format("Only some of: {}", fmt::join(configuration_names(), ",")))
      ->delimiter(',')
      ->check(CLI::IsMember(configuration_names()));
  command->add_option("--runs", flags->options.runs, "Downloads of each size in each (50)")
      ->check(CLI::Range(1, 1000));
  command->add_option("--warmups", flags->options.warmups, "Rounds before that do not count (1)")
      ->check(CLI::Range(0, 100));
  add_link_options(*command, *flags);
  command->add_flag("--quick", flags->quick, "10 KB and 1 MB, three times each, no warm-up");
  command->add_option("--seed", flags->options.seed, "Of file contents and losses (1)");
  command->add_option("--paper", flags->paper,
                      "CSV with the paper's figures, to print beside what was measured");
  command->add_flag("--json", flags->json, "JSON on stdout, nothing else");
  command->add_option("--html", flags->html, "Also write a page with plots to this file");
  command->callback([flags, command, &exit_code] { exit_code = run(*flags, *command); });
}

}  // namespace tw::cli
