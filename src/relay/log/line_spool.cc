#include "relay/log/line_spool.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "base/file/new_file.h"
#include "base/log.h"

namespace tw::relay {
namespace {

// Lines gather for so long before they are written: a busy relay wakes the thread 20 times a
// second, and not once a line.
constexpr std::chrono::milliseconds gathering{50};

}  // namespace

Result<std::unique_ptr<LineSpool>> LineSpool::start(std::size_t capacity) {
  std::unique_ptr<LineSpool> spool{new LineSpool{capacity}};
  try {
    spool->thread_ = std::thread{[spool = spool.get()] { spool->run(); }};
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "thread that writes lines");
  }
  return spool;
}

LineSpool::LineSpool(std::size_t capacity) : capacity_(capacity) {
  filling_.reserve(capacity);
  writing_.reserve(capacity);
}

LineSpool::~LineSpool() {
  {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool LineSpool::append(std::string_view line) noexcept {
  bool wake = false;
  {
    const std::lock_guard lock{mutex_};
    if (line.size() >= capacity_ - filling_.size()) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    filling_ += line;
    filling_ += '\n';
    wake = std::exchange(parked_, false);
  }
  if (wake) changed_.notify_all();
  return true;
}

void LineSpool::send_to(const std::string& file) {
  {
    const std::lock_guard lock{mutex_};
    wanted_file_ = file;
    file_changed_ = true;
    parked_ = false;
  }
  changed_.notify_all();
}

void LineSpool::run() {
  std::unique_lock lock{mutex_};
  for (;;) {
    parked_ = true;
    changed_.wait(lock, [this] { return stopped_ || file_changed_ || !filling_.empty(); });
    parked_ = false;
    const bool last = stopped_;
    const bool reopen = std::exchange(file_changed_, false);
    const std::string file = reopen ? wanted_file_ : std::string{};
    std::swap(filling_, writing_);
    lock.unlock();
    if (reopen) open(file);
    write(writing_);
    writing_.clear();
    lock.lock();
    if (last) return;
    changed_.wait_for(lock, gathering, [this] { return stopped_ || file_changed_; });
  }
}

void LineSpool::open(const std::string& file) {
  if (file.empty()) {
    writer_.reset();
    file_.reset();
    return;
  }
  Result<UniqueFd> opened = open_to_append(file);
  if (!opened) {
    log::warning("relay: connections are logged where they were: {}", opened.error().text());
    return;
  }
  file_ = std::move(*opened);
  writer_ = std::make_unique<LineWriter>(file_.get());
}

void LineSpool::write(std::string_view lines) noexcept {
  const std::uint64_t lost_before = writer_ ? writer_->lost() : 0;
  while (!lines.empty()) {
    const std::size_t size = lines.find('\n') + 1;
    if (writer_) {
      writer_->write(lines.substr(0, size));
    } else {
      log::write(log::Level::info, lines.substr(0, size - 1));
    }
    lines.remove_prefix(size);
  }
  if (writer_) lost_.fetch_add(writer_->lost() - lost_before, std::memory_order_relaxed);
}

}  // namespace tw::relay
