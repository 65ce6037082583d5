#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace tw {
namespace {

Result<int> bound(bool fine) {
  if (fine) return 7;
  errno = EADDRINUSE;
  return system_error("bind 0.0.0.0:51820");
}

TEST(Result, CarriesAValueOrAnError) {
  EXPECT_EQ(bound(true).value(), 7);
  ASSERT_FALSE(bound(false));
  EXPECT_EQ(bound(false).error().kind, Error::Kind::system);
  EXPECT_EQ(bound(false).error().os_errno, EADDRINUSE);
  EXPECT_EQ(bound(false).error().text(), "bind 0.0.0.0:51820: Address already in use");
}

TEST(Error, AKeptErrnoIsTheOneReported) {
  errno = EIO;
  const Result<void> failed = system_error(ENOENT, "open wg0.toml");
  EXPECT_EQ(failed.error().text(), "open wg0.toml: No such file or directory");
}

TEST(Error, OtherKindsHaveNoErrno) {
  errno = EIO;
  const Result<void> failed = make_error(Error::Kind::config, "listen_port: above 65535");
  EXPECT_EQ(failed.error().kind, Error::Kind::config);
  EXPECT_EQ(failed.error().text(), "listen_port: above 65535");
}

TEST(Error, ContextGoesBeforeAndKeepsTheRest) {
  const Result<void> outer = in_context("tunnel wg0", bound(false).error());
  EXPECT_EQ(outer.error().text(), "tunnel wg0: bind 0.0.0.0:51820: Address already in use");
  EXPECT_EQ(outer.error().kind, Error::Kind::system);
}

}  // namespace
}  // namespace tw
