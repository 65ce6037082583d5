# tw_bpf(LIBRARY NAME flag…): compiles bpf/NAME.bpf.c for the kernel, with these flags, and puts the
# object into LIBRARY as the function `tw::NAME_object()`, which src/port/tun/tun_filter.cc or its like
# declares. Always by clang, whatever compiles the rest. Run again as a script (cmake -P) it writes that source file.

if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${OBJECT} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  file(WRITE ${OUTPUT} "// Made by cmake/bpf.cmake from bpf/${NAME}.bpf.c.\n"
    "#include <span>\n\n"
    "namespace tw {\n\nalignas(8) static constexpr unsigned char bytes[] = {${bytes}};\n\n"
    "std::span<const unsigned char> ${NAME}_object() noexcept;\n"
    "std::span<const unsigned char> ${NAME}_object() noexcept { return bytes; }\n\n}  // namespace tw\n")
  return()
endif()

set(TW_BPF_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
find_program(TW_BPF_CLANG NAMES clang-19 clang)
find_program(TW_BPF_STRIP NAMES llvm-strip-19 llvm-strip)

function(tw_bpf library name)
  if(NOT TW_BPF_CLANG OR NOT TW_BPF_STRIP)
    message(FATAL_ERROR "clang or llvm-strip is missing, which make the kernel's programs: "
                        "run scripts/deps")
  endif()
  set(source ${CMAKE_SOURCE_DIR}/bpf/${name}.bpf.c)
  set(object ${CMAKE_BINARY_DIR}/bpf/${name}.bpf.o)
  set(output ${CMAKE_BINARY_DIR}/bpf/${name}_object.cc)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/bpf)
  # -g makes the BTF that describes maps; the rest of what it makes is stripped.
  add_custom_command(OUTPUT ${output} BYPRODUCTS ${object}
    COMMAND ${TW_BPF_CLANG} -target bpf -O2 -g -Wall -Wextra -Werror
            -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} ${ARGN} -c ${source} -o ${object}
    COMMAND ${TW_BPF_STRIP} -g ${object}
    COMMAND ${CMAKE_COMMAND} -DOBJECT=${object} -DNAME=${name} -DOUTPUT=${output}
            -P ${TW_BPF_SCRIPT}
    DEPENDS ${source} ${CMAKE_SOURCE_DIR}/bpf/abi.h ${TW_BPF_SCRIPT}
    COMMENT "Compiling bpf/${name}.bpf.c" VERBATIM)
  target_sources(${library} PRIVATE ${output})
endfunction()
