# Settings that make a mistake in memory harder to use, in every build that is not for finding such mistakes:
# sanitizers see more without these, and FORTIFY does not go together with sanitizers.
# tests/hardening/check.py reads all of them from the finished program; docs/security.md says what each is
# for. A large array on a packet's path is spared the cost of being zeroed where it is declared, by
# __attribute__((uninitialized)) and a reason.

# -fPIE by itself: CMake would compile libraries as if somebody could put a function in another's place (-fPIC).
add_library(tw_hardening INTERFACE)
target_compile_options(tw_hardening INTERFACE
  -fPIE -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  # The marks are forced: the few instructions that Debian 12's C library starts a program with have none. They
  # keep to the shadow stack, and no kernel asks of a program that its indirect jumps land on marks. (lld
  # would warn of each such object, and what it links is not shipped.)
  target_compile_options(tw_hardening INTERFACE -fcf-protection=full)
  target_link_options(tw_hardening INTERFACE LINKER:-z,shstk
    $<$<CXX_COMPILER_ID:GNU>:LINKER:-z,ibt>)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  target_compile_options(tw_hardening INTERFACE -mbranch-protection=standard)
endif()
target_compile_definitions(tw_hardening INTERFACE _GLIBCXX_ASSERTIONS)
# g++ does so by itself with -g: the options stand in the debugging information, where check.py reads them.
target_compile_options(tw_hardening INTERFACE $<$<CXX_COMPILER_ID:Clang>:-grecord-command-line>)
target_link_options(tw_hardening INTERFACE -pie LINKER:-z,relro,-z,now,-z,noexecstack)

# FORTIFY needs an optimiser, and warns where there is none. With it the C library's headers let g++ warn of
# every `write` whose result is cast to void on purpose; of our own functions clang tells in `dev`.
add_library(tw_fortify INTERFACE)
target_compile_definitions(tw_fortify INTERFACE _FORTIFY_SOURCE=3)
target_compile_options(tw_fortify INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-unused-result>)
if(NOT CMAKE_BUILD_TYPE STREQUAL Debug)
  target_link_libraries(tw_hardening INTERFACE tw_fortify)
endif()
