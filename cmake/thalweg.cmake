# One line a folder: tw_library(wg LINK tw_wire tw_crypto) makes the static library tw_wg of
# src/wg/**.cc and the test program wg_test of src/wg/**_test.cc.

find_program(TW_CCACHE ccache)
if(TW_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${TW_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TW_CCACHE})
endif()

add_library(tw_flags INTERFACE)
target_compile_options(tw_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wconversion -Wshadow -Werror -fno-omit-frame-pointer>)
target_include_directories(tw_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(TW_SANITIZE)
  # g++ 12 sees uninitialised uses through the sanitizer's own instrumentation that are not there.
  target_compile_options(tw_flags INTERFACE -fsanitize=${TW_SANITIZE} -fno-sanitize-recover=all
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(tw_flags INTERFACE -fsanitize=${TW_SANITIZE})
else()
  target_link_libraries(tw_flags INTERFACE tw_hardening)
endif()
if(TW_FUZZ)
  target_compile_options(tw_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(TW_COVERAGE)
  target_compile_options(tw_flags INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(tw_flags INTERFACE -fprofile-instr-generate)
endif()

# tw_pkg(NAME pkg…): the interface target tw_pkg_NAME of some pkg-config packages.
function(tw_pkg name)
  pkg_check_modules(TW_PKG_${name} REQUIRED IMPORTED_TARGET ${ARGN})
  add_library(tw_pkg_${name} INTERFACE)
  target_link_libraries(tw_pkg_${name} INTERFACE PkgConfig::TW_PKG_${name})
endfunction()

# tw_find(NAME header library package): the same for a library that brings no pkg-config file.
function(tw_find name header library package)
  find_path(TW_FIND_${name}_INCLUDE ${header})
  find_library(TW_FIND_${name}_LIBRARY ${library})
  if(NOT TW_FIND_${name}_INCLUDE OR NOT TW_FIND_${name}_LIBRARY)
    message(FATAL_ERROR "${header} or lib${library} is missing: run scripts/deps, or install "
                        "Debian's ${package}")
  endif()
  add_library(tw_pkg_${name} INTERFACE)
  target_include_directories(tw_pkg_${name} SYSTEM INTERFACE ${TW_FIND_${name}_INCLUDE})
  target_link_libraries(tw_pkg_${name} INTERFACE ${TW_FIND_${name}_LIBRARY})
endfunction()

# What is not on a packet's path is compiled without optimisation where sanitizers are on: tests and
# command lines are most of the code, and this halves the time of a build from nothing.
function(tw_quick_to_build target)
  if(TW_SANITIZE AND NOT TW_FUZZ)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# tw_test(NAME LABEL … LINK … SOURCES …): a test program, whose every test ctest knows by its own name.
function(tw_test name)
  cmake_parse_arguments(ARG "" "LABEL" "LINK;SOURCES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  tw_quick_to_build(${name})
  if(CMAKE_CXX_CLANG_TIDY)
    # The path analysis of gtest's macros takes three quarters of the time and finds gtest. And a
    # test may waste a copy to be read with ease, and draws the same numbers each time on purpose.
    string(JOIN "," not_of_tests -clang-analyzer-* -performance-inefficient-*
           -cert-msc32-c -cert-msc51-cpp -bugprone-implicit-widening-of-multiplication-result)
    set_target_properties(${name} PROPERTIES
      CXX_CLANG_TIDY "${CMAKE_CXX_CLANG_TIDY};--checks=${not_of_tests}")
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS ${ARG_LABEL})
endfunction()

function(tw_library folder)
  cmake_parse_arguments(ARG "" "" "LINK;PRIVATE" ${ARGN})
  set(dir ${CMAKE_SOURCE_DIR}/src/${folder})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(tw_${folder} STATIC ${sources})
    target_link_libraries(tw_${folder} PUBLIC tw_flags ${ARG_LINK} PRIVATE ${ARG_PRIVATE})
  else()  # headers only
    add_library(tw_${folder} INTERFACE)
    target_link_libraries(tw_${folder} INTERFACE tw_flags ${ARG_LINK} ${ARG_PRIVATE})
  endif()
  if(tests AND TW_TESTS)
    tw_test(${folder}_test LABEL unit LINK tw_${folder} ${ARG_PRIVATE} SOURCES ${tests})
  endif()
endfunction()

function(tw_program name folder)
  cmake_parse_arguments(ARG "" "" "LINK;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/*.cc)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE tw_flags ${ARG_LINK} ${ARG_PRIVATE})
  tw_quick_to_build(${name})
  target_precompile_headers(${name} PRIVATE <CLI/CLI.hpp>)
  target_compile_definitions(${name} PRIVATE TW_VERSION="${PROJECT_VERSION}")
endfunction()

# tw_fuzz(name LINK …): the libFuzzer target fuzz_NAME of tests/fuzz/NAME.cc. With TW_FUZZ off the
# same file is built with a main that replays tests/fuzz/corpus/NAME, as a plain test. The target
# `fuzzers` builds them all.
add_custom_target(fuzzers)

function(tw_fuzz name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  if(TW_FUZZ)
    add_executable(fuzz_${name} ${name}.cc)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} ${name}.cc replay_corpus.cc)
    add_test(NAME fuzz_corpus.${name}
             COMMAND fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
    set_tests_properties(fuzz_corpus.${name} PROPERTIES LABELS unit)
  endif()
  target_link_libraries(fuzz_${name} PRIVATE tw_flags ${ARG_LINK})
  add_dependencies(fuzzers fuzz_${name})
endfunction()
