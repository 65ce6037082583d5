# tw_embed(LIBRARY PAGE): puts web/PAGE.html into LIBRARY as the function `tw::lab::PAGE_page()`, which
# src/lab/report/page.h declares. The plotting library and what the pages share (web/common.*) are inlined, each
# at its mark, such as @COMMON_JS@. Run again as a script (cmake -P) it writes that source file. It works
# on hexadecimal text, which has no character that CMake would interpret.

if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${TEMPLATE} page HEX)
  foreach(part UPLOT_JS UPLOT_CSS COMMON_JS COMMON_CSS)
    file(READ ${${part}} content HEX)
    string(HEX "@${part}@" marker)
    string(FIND "${page}" "${marker}" at)
    if(at EQUAL -1)
      message(FATAL_ERROR "${TEMPLATE}: no @${part}@ in it")
    endif()
    string(REPLACE "${marker}" "${content}" page "${page}")
  endforeach()
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," page "${page}")
  file(WRITE ${OUTPUT} "// Made by cmake/embed.cmake from web/${NAME}.html.\n"
    "#include \"lab/report/page.h\"\n\n"
    "namespace tw::lab {\n\nstatic constexpr unsigned char bytes[] = {${page}};\n\n"
    "std::string_view ${NAME}_page() noexcept {\n"
    "  return {reinterpret_cast<const char*>(bytes), sizeof bytes};\n}\n\n}  // namespace tw::lab\n")
  return()
endif()

set(TW_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(tw_embed library name)
  set(web ${CMAKE_SOURCE_DIR}/web)
  set(uplot ${web}/node_modules/uplot/dist)
  set(js ${uplot}/uPlot.iife.min.js)
  set(css ${uplot}/uPlot.min.css)
  if(NOT EXISTS ${js} OR NOT EXISTS ${css})
    message(FATAL_ERROR "web/node_modules has no uPlot, which the report pages inline: "
                        "run scripts/deps")
  endif()
  set(output ${CMAKE_BINARY_DIR}/embed/${name}_page.cc)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DTEMPLATE=${web}/${name}.html -DUPLOT_JS=${js} -DUPLOT_CSS=${css}
            -DCOMMON_JS=${web}/common.js -DCOMMON_CSS=${web}/common.css
            -DNAME=${name} -DOUTPUT=${output} -P ${TW_EMBED_SCRIPT}
    DEPENDS ${web}/${name}.html ${js} ${css} ${web}/common.js ${web}/common.css ${TW_EMBED_SCRIPT}
    COMMENT "Embedding web/${name}.html" VERBATIM)
  target_sources(${library} PRIVATE ${output})
endfunction()
