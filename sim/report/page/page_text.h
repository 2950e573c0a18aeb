#pragma once
// The parts of report.html that are the same for every run, built into the program
// (sim/report/page/CMakeLists.txt).
#include <string_view>

namespace retrace::page {

std::string_view
html(); ///< page.html, with places {{title}}, {{style}}, {{charts}}, {{script}}, {{data}}, {{licences}}
std::string_view style();    ///< page.css
std::string_view script();   ///< the page's own scripts, in one scope
std::string_view charts();   ///< Apache ECharts, minified; empty if the program was built without npm
std::string_view licences(); ///< of what is in charts()

} // namespace retrace::page
