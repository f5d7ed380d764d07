"""A stand-in for the CMake package of Slicer: enough that ``cmake`` configures, builds and installs the extension.

The macros keep the interface of Slicer's and CTK's (names of arguments, what must exist, where files go) and nothing
of their inside. What it cannot prove: packaging (CPack), byte-compiling, and that a real Slicer's paths are the same.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

LIBRARY = "lib/Slicer-5.12/qt-scripted-modules"
"""Where Slicer looks for scripted modules below the root of an extension."""

CONFIG = """
set(Slicer_FOUND TRUE)
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/Generate.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/CPack.cmake)
"""

USE = """
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR @LIBRARY@)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR @LIBRARY@)

macro(ctkMacroCompilePythonScript)
  cmake_parse_arguments(MY
    "NO_INSTALL_SUBDIR;GLOBAL_TARGET" "TARGET_NAME;SOURCE_DIR;DESTINATION_DIR;INSTALL_DIR" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown arguments: ${MY_UNPARSED_ARGUMENTS}")
  endif()
  foreach(name TARGET_NAME DESTINATION_DIR INSTALL_DIR)
    if(NOT MY_${name})
      message(FATAL_ERROR "${name} is mandatory")
    endif()
  endforeach()
  set(copied)
  foreach(file ${MY_SCRIPTS} ${MY_RESOURCES})
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
      message(FATAL_ERROR "nonexistent file ${file}")
    endif()
    add_custom_command(OUTPUT ${MY_DESTINATION_DIR}/${file}
      COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${MY_DESTINATION_DIR}/${file}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    list(APPEND copied ${MY_DESTINATION_DIR}/${file})
  endforeach()
  add_custom_target(Copy${MY_TARGET_NAME} ALL DEPENDS ${copied})
  if(NOT MY_NO_INSTALL_SUBDIR)
    message(FATAL_ERROR "the stand-in knows NO_INSTALL_SUBDIR only")
  endif()
  install(DIRECTORY ${MY_DESTINATION_DIR}/ DESTINATION ${MY_INSTALL_DIR})
endmacro()

macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MODULE "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MODULE_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown arguments: ${MODULE_UNPARSED_ARGUMENTS}")
  endif()
  ctkMacroCompilePythonScript(
    TARGET_NAME ${MODULE_NAME}
    SCRIPTS "${MODULE_SCRIPTS}"
    RESOURCES "${MODULE_RESOURCES}"
    DESTINATION_DIR ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}
    INSTALL_DIR ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}
    NO_INSTALL_SUBDIR)
endmacro()

macro(slicer_add_python_unittest)
  cmake_parse_arguments(TEST "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS" ${ARGN})
  if(TEST_UNPARSED_ARGUMENTS OR NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${TEST_SCRIPT})
    message(FATAL_ERROR "wrong unit test: ${ARGN}")
  endif()
  message(STATUS "UNITTEST ${TEST_TESTNAME_PREFIX}${TEST_SCRIPT} ${TEST_SLICER_ARGS}")
endmacro()
"""

CPACK = """
foreach(name
    HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS RECOMMENDS KEYWORDS LICENSE_FILE README_FILE)
  message(STATUS "METADATA ${name}=${EXTENSION_${name}}")
endforeach()
"""

# No compiler is needed, and looking for one would take most of the time.
TOOLCHAIN = """
foreach(language C CXX)
  set(CMAKE_${language}_COMPILER ${CMAKE_COMMAND})
  set(CMAKE_${language}_COMPILER_FORCED TRUE)
  set(CMAKE_${language}_COMPILER_ID_RUN TRUE)
endforeach()
"""


def configure(source: Path, work: Path) -> str:
    """Configure the extension into ``work/build``; what CMake said.

    Raises
    ------
    AssertionError
        When CMake refuses; with what it said.
    """
    package = work / "Slicer"
    package.mkdir(parents=True)
    texts = {"SlicerConfig.cmake": CONFIG, "UseSlicer.cmake": USE, "CPack.cmake": CPACK, "Generate.cmake": ""}
    for name, text in {**texts, "toolchain.cmake": TOOLCHAIN}.items():
        (package / name).write_text(text.replace("@LIBRARY@", LIBRARY), encoding="utf-8")
    return _run(
        "cmake",
        *("-S", str(source), "-B", str(work / "build"), f"-DSlicer_DIR={package}", "-DBUILD_TESTING=ON"),
        *("-Wno-dev", f"-DCMAKE_TOOLCHAIN_FILE={package / 'toolchain.cmake'}"),
    )


def build_and_install(work: Path) -> Path:
    """Build what was configured and install it; the folder of the scripted modules in the installed tree."""
    _run("cmake", "--build", str(work / "build"))
    _run("cmake", "--install", str(work / "build"), "--prefix", str(work / "installed"))
    return work / "installed" / LIBRARY


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout
