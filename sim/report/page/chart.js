// A chart with what belongs to it: title, a sentence that says what it shows, legend, controls, and its numbers as a table for those who
// cannot see it. `echarts` is absent where the program was built without npm: then the table takes the chart's place.

const charts = []; // { id, plot, chart, draw }
const hasCharts = typeof globalThis.echarts === "object";

/**
 * A figure. `draw(width, hidden)` returns {option, height}; `hidden` holds the names that the legend switched off.
 *   title, summary: strings; summary may be a function, asked again whenever the chart is drawn
 *   legend: [{name, color: () => string, key}] or a function that returns it
 *   controls: elements; table: () => {columns, rows}
 */
function figure({ id, title, summary, legend, controls, draw, table }) {
    const hidden = new Set();
    const words = element("p");
    const keys = element("ul", { "class": "legend", "aria-label": "Legend" });
    const plot = element("div", { class: "plot", role: "img", tabindex: "-1" });
    const numbers = element("details", {}, element("summary", {}, "Numbers of this chart"));
    const made = element(
        "figure",
        { id },
        element("figcaption", {}, element("h3", {}, title), words),
        controls?.length ? element("div", { class: "controls" }, ...controls) : null,
        keys,
        plot,
        numbers,
    );
    const entry = { id, plot, chart: null, draw: null, width: 0 };

    const say = () => (typeof summary === "function" ? summary() : summary);
    const show = () => {
        try {
            showIt();
        } catch {
            // What the files say may be anything; one chart less, and a sentence.
            charts.splice(0, charts.length, ...charts.filter((other) => other !== entry));
            made.replaceChildren(element("h3", {}, title), cannotShow());
        }
    };
    const showIt = () => {
        words.replaceChildren(...sentence(say()));
        plot.setAttribute("aria-label", `${title}. ${say().replaceAll("`", "")}`);
        const entries = (typeof legend === "function" ? legend() : legend) ?? [];
        keys.replaceChildren(
            ...entries.map(({ name, color, key = name, fixed }) =>
                element(
                    "li",
                    {},
                    element(
                        "button",
                        {
                            "type": "button",
                            "aria-pressed": String(!hidden.has(key)),
                            "disabled": fixed === true,
                            "title": fixed ? undefined : "Show or hide",
                            "onclick": () => {
                                if (!hidden.delete(key)) hidden.add(key);
                                show();
                            },
                        },
                        element("span", { class: "chip", style: `background:${color()}` }),
                        name,
                    ),
                ),
            ),
        );
        keys.hidden = entries.length === 0;
        if (numbers.open || !hasCharts) fill();
        if (!hasCharts) return;
        const width = plot.clientWidth;
        if (width === 0) return; // not in the page yet
        const { option, height } = draw(width, hidden);
        entry.width = width;
        plot.style.height = `${height}px`;
        entry.chart ??= echarts.init(plot, null, { renderer: "svg" });
        entry.chart.resize({ width, height });
        entry.chart.setOption({ ...base(), ...option }, { notMerge: true });
    };
    const fill = () => numbers.replaceChildren(numbers.firstChild, tableOf(table()));
    numbers.addEventListener("toggle", () => numbers.open && fill());
    if (!hasCharts) {
        numbers.open = true;
        plot.hidden = true;
    }
    entry.draw = show;
    charts.push(entry);
    made.redraw = show;
    return made;
}

/** What every chart shares. */
function base() {
    const t = theme();
    return {
        animation: false,
        backgroundColor: "transparent",
        textStyle: { color: t.soft, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 },
    };
}

function axisLook() {
    const t = theme();
    return {
        axisLine: { lineStyle: { color: t.line } },
        axisTick: { lineStyle: { color: t.line } },
        axisLabel: { color: t.soft, hideOverlap: true },
        splitLine: { lineStyle: { color: t.faint } },
        nameTextStyle: { color: t.soft },
    };
}

/** A grid that keeps its place, whatever its labels are. */
function grid(place) {
    return { outerBoundsMode: "none", ...place };
}

/** A horizontal axis of cycles; numbers in k or M, and the name says so and, where there is room, what a cycle is. */
function cycleAxis(largest, what, hertz, width, more = {}) {
    const [factor, unit] = largest >= 2e9 ? [1e9, "G "] : largest >= 2e6 ? [1e6, "M "] : largest >= 2e3 ? [1e3, "k "] : [1, ""];
    const time =
        hertz > 0 && width >= 520 ? `; 1 ${unit}cycle${unit ? "s" : ""} = ${seconds(factor / hertz).replace(".00", "")}` : "";
    const look = axisLook();
    return {
        type: "value",
        min: 0,
        max: largest,
        name: `${unit}cycles ${what}${time}`,
        nameLocation: "middle",
        nameGap: 28,
        ...look,
        axisLabel: { ...look.axisLabel, formatter: (v) => String(Number((v / factor).toPrecision(4))), showMaxLabel: false },
        splitLine: { show: false },
        ...more,
    };
}

function shareAxis(more = {}) {
    const look = axisLook();
    return {
        type: "value",
        min: 0,
        max: 1,
        ...look,
        axisLabel: { ...look.axisLabel, formatter: (v) => `${Math.round(100 * v)} %` },
        ...more,
    };
}

/** Ticks at round numbers of bytes, which are powers of two. */
function byteAxis(largest, more = {}) {
    const look = axisLook();
    let step = 1;
    while (largest / step > 5) step *= 2;
    return {
        type: "value",
        min: 0,
        max: Math.ceil(largest / step) * step,
        interval: step,
        ...look,
        axisLabel: { ...look.axisLabel, formatter: (v) => bytes(v) },
        ...more,
    };
}

function tooltip(more) {
    const t = theme();
    return {
        confine: true,
        backgroundColor: t.card,
        borderColor: t.line,
        borderWidth: 1,
        padding: [8, 12],
        textStyle: { color: t.ink, fontSize: 13 },
        ...more,
    };
}

/** A tooltip's content: a heading, then rows of [color, name, value]. An element, so that names are text. */
function tip(heading, rows, more = []) {
    return element(
        "div",
        { class: "tip" },
        element("b", {}, heading),
        ...rows.map(([color, name, value]) =>
            element(
                "div",
                {},
                color ? element("span", { class: "chip", style: `background:${color}` }) : null,
                element("span", {}, name),
                element("span", { class: "value" }, value),
            ),
        ),
        ...more.map((text) => element("div", { class: "soft" }, text)),
    );
}

/** Curves from 0 to 1, one below the other over one axis of cycles. rows: [{name, color, share, data: [[cycle, value]]}]. */
function bands(width, rows, axis, told) {
    const height = rows.length > 10 ? 28 : 42,
        gap = 10,
        left = width < 520 ? 92 : 144,
        right = 20,
        look = axisLook(),
        last = rows.length - 1;
    const top = (i) => 8 + i * (height + gap),
        room = Math.floor((left - 20) / 7);
    const cut = (name) => (name.length > room ? `${name.slice(0, room - 1)}…` : name);
    return {
        height: top(rows.length) + 40,
        option: {
            grid: rows.map((_, i) => grid({ left, right, top: top(i), height })),
            xAxis: rows.map((_, i) => ({
                ...axis,
                gridIndex: i,
                ...(i === last ? {} : { name: "", axisLabel: { show: false }, axisTick: { show: false } }),
            })),
            yAxis: rows.map((row, i) => ({
                type: "value",
                gridIndex: i,
                min: 0,
                max: 1,
                interval: 1,
                name: `${cut(row.name)}\n${percent(row.share)}`,
                nameLocation: "middle",
                nameRotate: 0,
                nameGap: 12,
                nameTextStyle: { color: look.nameTextStyle.color, align: "right", verticalAlign: "middle", lineHeight: 15 },
                axisLabel: { show: false },
                axisLine: { show: false },
                axisTick: { show: false },
                splitLine: { lineStyle: { color: theme().faint } },
            })),
            axisPointer: { link: [{ xAxisIndex: "all" }] },
            tooltip: tooltip({ trigger: "axis", formatter: (points) => told(points[0].axisValue) }),
            series: rows.map((row, i) => ({
                name: row.name,
                type: "line",
                xAxisIndex: i,
                yAxisIndex: i,
                step: "end",
                symbol: "none",
                lineStyle: { width: 1, color: row.color },
                itemStyle: { color: row.color },
                areaStyle: { color: row.color, opacity: 0.4 },
                data: row.data,
            })),
        },
    };
}

function select(label, options, onchange) {
    const box = element(
        "select",
        { onchange: () => onchange(box.value) },
        ...options.map(([value, text]) => element("option", { value }, text)),
    );
    return element("label", {}, label, box);
}

function redrawAll() {
    [...charts].forEach((entry) => entry.draw()); // one that fails leaves the list
}

/** Draws everything once it is in the page, and again when colours or widths change. */
function startCharts() {
    redrawAll();
    dark.addEventListener("change", redrawAll);
    if (!hasCharts) return;
    const observer = new ResizeObserver(() => {
        for (const entry of charts) if (entry.plot.clientWidth !== entry.width) entry.draw();
    });
    charts.forEach((entry) => observer.observe(entry.plot));
}
