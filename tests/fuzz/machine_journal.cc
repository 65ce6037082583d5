// link: tw_machine
// covers: machine/journal_line.cc
// A journal of any text, as a start finds it on disk. What stands in it is what a naive reader
// finds line by line, and what that does not understand is counted as damage; each change that is
// believed comes back from its own line, and names no table but one of ours. What is recorded
// behind it stands at the next start too, under a number that no line has used.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/unique_fd.h"
#include "fuzz_folder.h"
#include "machine/journal.h"

namespace {

using namespace tw;  // NOLINT(google-build-using-namespace)

struct Standing {
  std::vector<Journal::Entry> entries;
  std::size_t damaged = 0;
  std::uint64_t last_id = 0;
};

// "+\tID\tCHANGE" or "-\tID", the number in figures and below half of what 64 bits hold.
std::optional<std::uint64_t> id_of(std::string_view line) {
  if (!line.starts_with("+\t") && !line.starts_with("-\t")) return {};
  line.remove_prefix(2);
  const std::string_view figures = line.substr(0, line.find('\t'));
  if (figures.empty() || figures.find_first_not_of("0123456789") != std::string_view::npos) {
    return {};
  }
  std::uint64_t id = 0;
  for (const char figure : figures) {
    if (id > UINT64_MAX / 20) return {};
    id = id * 10 + static_cast<std::uint64_t>(figure - '0');
  }
  return id == 0 || id > UINT64_MAX / 2 ? std::nullopt : std::optional{id};
}

Standing read_naively(std::string_view text) {
  Standing found;
  for (std::size_t end; (end = text.find('\n')) != std::string_view::npos;) {
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const auto id = id_of(line);
    const std::size_t tab = line.find('\t', 2);
    const bool is_made = line.starts_with('+');
    if (!id || is_made == (tab == std::string_view::npos)) {
      ++found.damaged;
      continue;
    }
    found.last_id = std::max(found.last_id, *id);
    if (!is_made) {
      std::erase_if(found.entries, [&](const auto& entry) { return entry.id == *id; });
      continue;
    }
    if (const auto change = change_from_line(line.substr(tab + 1))) {
      found.entries.push_back({*id, *change});
    } else {
      ++found.damaged;
    }
  }
  return found;
}

void check_change(const Change& change) {
  TW_ASSERT(change_from_line(to_line(change)) == change);
  TW_ASSERT(to_line(change).find('\n') == std::string::npos);
  if (const auto* table = std::get_if<TableChange>(&change)) {
    // It becomes a word of a command for nftables.
    constexpr std::string_view letters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    TW_ASSERT(table->table.starts_with("thalweg_"));
    TW_ASSERT(table->table.find_first_not_of(letters) == std::string::npos);
  }
}

bool same(const std::vector<Journal::Entry>& left, const std::vector<Journal::Entry>& right) {
  return std::ranges::equal(left, right, [](const auto& one, const auto& other) {
    return one.id == other.id && one.change == other.change;
  });
}

void write(const std::string& path, std::string_view text) {
  const tw::UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  TW_ASSERT(file &&
            ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const tw::testing::FuzzFolder folder;
  static const std::string path = Journal::open(folder.path(), "fuzz")->path();
  const std::string_view text{reinterpret_cast<const char*>(bytes), size};
  Standing naive = read_naively(text);
  TW_ASSERT(same(Journal::entries_of(text), naive.entries));
  for (const auto& entry : naive.entries) check_change(entry.change);
  if (size >= 65536) return 0;
  write(path, text);
  const SysctlChange setting{"net/ipv4/ip_forward", "0", "1"};
  {
    auto journal = Journal::open(folder.path(), "fuzz");
    TW_ASSERT(journal && same(journal->entries(), naive.entries));
    TW_ASSERT(journal->damaged_lines() == naive.damaged);
    const auto id = journal->record(setting);
    if (!id) {
      TW_ASSERT(naive.last_id == UINT64_MAX / 2 && !id.error().text().empty());
      return 0;
    }
    TW_ASSERT(*id > naive.last_id);
    naive.entries.push_back({*id, setting});
  }
  const auto again = Journal::open(folder.path(), "fuzz");
  TW_ASSERT(again && same(again->entries(), naive.entries));
  TW_ASSERT(again->damaged_lines() == naive.damaged);
  return 0;
}
