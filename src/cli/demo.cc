// thalweg demo: the main job of the whole, on this machine alone.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <memory>

#include "cli/command.h"
#include "cli/report_output.h"
#include "lab/demo/demo.h"
#include "lab/report/page.h"

namespace tw::cli {
namespace {

struct DemoFlags {
  lab::DemoOptions options;
  bool quick = false;
  bool json = false;
  std::string html;
  std::vector<std::string> paths;
  double rate_mbps = 1000;
  double loss_percent = 0;
};

int fail(const std::string& text) {
  std::fputs(fmt::format("thalweg demo: {}\n", text).c_str(), stderr);
  return exit_failed;
}

Result<lab::DemoReport> measure(const lab::DemoOptions& options, lab::Interrupt& interrupt) {
  lab::Progress progress;
  return lab::run_demo(options, interrupt, progress);
}

int present(const DemoFlags& flags, const lab::DemoReport& report) {
  const std::string text = flags.json ? lab::to_json(report) + "\n" : lab::to_table(report);
  auto done = print_report(text);
  if (done && !flags.html.empty()) {
    done = write_page(flags.html, lab::to_html(report, lab::demo_page()));
  }
  if (!done) return fail(done.error().text());
  for (const lab::DemoRow& row : lab::rows_of(report)) {
    if (!row.sha256_ok) return fail("a download's checksum was wrong");
  }
  return 0;
}

int run(DemoFlags& flags, const CLI::App& command) {
  lab::DemoOptions& options = flags.options;
  if (flags.quick) {
    if (command.count("--sizes") == 0) options.sizes = {10'000, 1'000'000};
    if (command.count("--runs") == 0) options.runs = 3;
  }
  if (!flags.paths.empty()) options.paths.clear();
  for (const std::string& name : flags.paths) {
    if (const auto path = lab::parse_path(name)) options.paths.push_back(*path);
  }
  options.rate_bps = static_cast<std::uint64_t>(flags.rate_mbps * 1e6);
  options.client_loss = flags.loss_percent / 100;
  options.version = TW_VERSION;
  options.command = own_command();
  if (!flags.html.empty() && !can_be_written(flags.html)) {
    return fail("cannot write " + flags.html + ": no such folder, or no permission");
  }
  auto interrupt = lab::Interrupt::watch();
  if (!interrupt) return fail(interrupt.error().text());
  try {
    const auto report = measure(options, *interrupt);
    if (report) return present(flags, *report);
    if (!interrupt->fired()) return fail(report.error().text());
  } catch (const std::exception& surprise) {
    // What the demonstration had made is gone by now: that is why nothing passes this line.
    return fail(surprise.what());
  }
  std::fputs("thalweg demo: interrupted; everything it had made is removed\n", stderr);
  return exit_interrupted;
}

}  // namespace

void add_demo(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<DemoFlags>();
  CLI::App* command = app.add_subcommand(
      "demo", "Downloads end to end and through two PoPs, over emulated long-haul links");
  command->add_flag("--quick", flags->quick, "10 KB and 1 MB, three times each: under 45 s");
  command->add_option("--runs", flags->options.runs, "Repetitions of every download (5)")
      ->check(CLI::Range(1, 1000));
  command
      ->add_option("--sizes", flags->options.sizes,
                   "Sizes of the downloads, with commas (10KB,100KB,1MB,10MB)")
      ->delimiter(',')
      ->transform(CLI::AsSizeValue(true))
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}));
  command->add_option("--paths", flags->paths, "Only some of: end-to-end,tunnelled,relayed")
      ->delimiter(',')
      ->check(CLI::IsMember({"end-to-end", "tunnelled", "relayed"}));
  command->add_option("--rate", flags->rate_mbps, "Mbps of every link, each way (1000)")
      ->check(CLI::Range(1.0, 10'000.0));
  command->add_option("--loss", flags->loss_percent, "Percent lost between client and R_C (0)")
      ->check(CLI::Range(0.0, 50.0));
  command->add_option("--seed", flags->options.seed, "Of file contents and losses (1)");
  command->add_flag("--json", flags->json, "JSON on stdout, nothing else");
  command->add_option("--html", flags->html, "Also write a page with plots to this file");
  command->callback([flags, command, &exit_code] { exit_code = run(*flags, *command); });
}

}  // namespace tw::cli
