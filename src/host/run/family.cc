#include "host/run/family.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>
#include <string>
#include <system_error>

#include "host/settings/setting.h"

namespace tw::host {
namespace {

namespace fs = std::filesystem;

std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> children;
  for (const pid_t thread : threads_of(process)) {
    const std::string path =
        "/proc/" + std::to_string(process) + "/task/" + std::to_string(thread) + "/children";
    std::istringstream words{read_line(path).value_or("")};
    for (pid_t child = 0; words >> child;) children.push_back(child);
  }
  return children;
}

}  // namespace

std::vector<pid_t> threads_of(pid_t process) {
  std::vector<pid_t> threads;
  std::error_code failure;
  fs::directory_iterator entry{"/proc/" + std::to_string(process) + "/task", failure};
  for (; !failure && entry != fs::directory_iterator{}; entry.increment(failure)) {
    const std::string name = entry->path().filename();
    pid_t thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    if (thread != 0) threads.push_back(thread);
  }
  return threads;
}

std::vector<pid_t> family_of(pid_t process) {
  std::vector<pid_t> family{process};
  for (std::size_t i = 0; i < family.size(); ++i) {
    for (const pid_t child : children_of(family[i])) {
      if (std::ranges::find(family, child) == family.end()) family.push_back(child);
    }
  }
  return family;
}

std::int64_t used_ms(pid_t process) {
  const std::string line = read_line("/proc/" + std::to_string(process) + "/stat").value_or("");
  const std::size_t end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos) return 0;
  std::istringstream fields{line.substr(end_of_name + 1)};
  constexpr int before_times = 11;  // state … cmajflt; then utime, stime, cutime, cstime
  std::string skipped;
  for (int i = 0; i < before_times; ++i) fields >> skipped;
  std::int64_t ticks = 0;
  for (int i = 0; i < 4; ++i) {
    std::int64_t one = 0;
    fields >> one;
    ticks += one;
  }
  return ticks * 1000 / ::sysconf(_SC_CLK_TCK);
}

}  // namespace tw::host
