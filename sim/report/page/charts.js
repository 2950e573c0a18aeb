// The part of Apache ECharts that the page uses; esbuild leaves the rest out.
import * as core from "echarts/core";
import { BarChart, CustomChart, LineChart } from "echarts/charts";
import {
    DataZoomComponent,
    GridComponent,
    MarkLineComponent,
    TooltipComponent,
} from "echarts/components";
import { SVGRenderer } from "echarts/renderers";

core.use([
    BarChart,
    CustomChart,
    LineChart,
    DataZoomComponent,
    GridComponent,
    MarkLineComponent,
    TooltipComponent,
    SVGRenderer,
]);

globalThis.echarts = core;
