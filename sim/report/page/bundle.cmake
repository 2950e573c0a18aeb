# Fetches the packages that package-lock.json names and bundles charts.js with what it needs of them:
#   cmake -DNPM=npm -DSOURCE=. -DFOLDER=work -DCHARTS=charts.min.js -DLICENCES=licences.txt -P bundle.cmake
# Packages that are there already for this lock file are used as they are. Without npm, or where it fails, both files are empty.
function(without_charts reason)
  message(WARNING "report.html will have tables, but no charts: ${reason}")
  file(WRITE ${CHARTS} "")
  file(WRITE ${LICENCES} "")
endfunction()

if(NOT NPM)
  without_charts("there is no npm (Debian: npm); install it and configure again.")
  return()
endif()

file(MAKE_DIRECTORY ${FOLDER})
file(SHA256 ${SOURCE}/package-lock.json wanted)
set(stamp ${FOLDER}/installed)
set(installed "")
if(EXISTS ${stamp})
  file(READ ${stamp} installed)
endif()
foreach(file package.json package-lock.json charts.js)
  configure_file(${SOURCE}/${file} ${FOLDER}/${file} COPYONLY)
endforeach()

if(NOT installed STREQUAL wanted)
  # Nothing of the packages runs while they are installed; esbuild's own package for this machine is among them.
  execute_process(
    COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --fetch-retries=1
    WORKING_DIRECTORY ${FOLDER} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    without_charts("`npm ci` failed; with a network, configure and build again.\n${output}")
    return()
  endif()
  file(WRITE ${stamp} ${wanted})
endif()

execute_process(
  COMMAND ${NPM} run --silent bundle -- --outfile=${CHARTS}
  WORKING_DIRECTORY ${FOLDER} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result EQUAL 0)
  without_charts("esbuild failed; configure and build again.\n${output}")
  return()
endif()

set(text "")
foreach(file echarts/NOTICE echarts/LICENSE echarts/licenses/LICENSE-d3 zrender/LICENSE tslib/LICENSE.txt)
  if(EXISTS ${FOLDER}/node_modules/${file})
    file(READ ${FOLDER}/node_modules/${file} licence)
    string(APPEND text "${file}\n\n${licence}\n\n")
  endif()
endforeach()
file(WRITE ${LICENCES} "${text}")
