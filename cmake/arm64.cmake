# A toolchain for arm64 out of clang and lld, which build for any CPU, and the headers and libraries in
# TW_ARM64_ROOT; tests run under qemu-user. scripts/test-arm64 makes that folder and uses this file.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TW_ARM64_ROOT)
set(CMAKE_SYSROOT ${TW_ARM64_ROOT})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

set(CMAKE_C_COMPILER clang-19)
set(CMAKE_CXX_COMPILER clang++-19)
set(CMAKE_C_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_CXX_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_EXE_LINKER_FLAGS_INIT -fuse-ld=lld-19)

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${TW_ARM64_ROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${TW_ARM64_ROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${TW_ARM64_ROOT}/usr/share/pkgconfig)
