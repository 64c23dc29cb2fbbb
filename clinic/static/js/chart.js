// The page of a chart: teeth are chosen (chart-teeth.js), tools make a line of them (chart-tools.js), the line is charted
// (chart-line.js), a tooth is looked at (chart-tooth.js). They speak by events and by what the page shows.
import "./chart-teeth.js";
import "./chart-tools.js";
import "./chart-line.js";
import "./chart-tooth.js";
