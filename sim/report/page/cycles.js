// Where the cycles went: ranked, by phase, over time, and what each engine did meanwhile.

function rankingPanel(run) {
    const total = totalOf(run),
        ranked = rankedReasons(at(run, "summary", "cycles", "stalls"), total);
    if (ranked.length === 0) return missing(`Where the cycles went is not known: ${withoutSummary(run, "cycles.stalls")}.`);
    const largest = ranked[0].share;
    return element(
        "div",
        { class: "panel" },
        element("h3", {}, "Reasons, ranked"),
        paragraph(
            `Each of the ${whole(total)} cycles counts once, from the array's point of view. Fill, drain and weight load belong to the array's own work.`,
        ),
        element(
            "ol",
            { class: "ranking" },
            ...ranked.map((r) =>
                element(
                    "li",
                    {},
                    element("span", { class: "share" }, percent(r.share)),
                    element(
                        "div",
                        {},
                        element(
                            "div",
                            {},
                            `of the cycles ${r.says}`,
                            element("span", { class: "soft" }, ` · ${whole(r.cycles)}`),
                        ),
                        element(
                            "div",
                            { "class": "bar", "aria-hidden": "true" },
                            element("span", {
                                "data-reason": r.key,
                                "style": `width:${(100 * r.share) / largest}%;background:${reasonColor(r.key)}`,
                            }),
                        ),
                    ),
                ),
            ),
        ),
    );
}

/** Bars of stacked reasons. bars: () => [{name, total, stalls}]. */
function reasonsFigure({ id, title, summary, bars }) {
    let unit = "cycles";
    const used = Object.keys(reasons).filter((key) => bars.some((b) => (b.stalls[key] ?? 0) > 0));
    const made = figure({
        id,
        title,
        summary,
        legend: used.map((key) => ({ key, name: reasonName(key), color: () => reasonColor(key) })),
        controls:
            bars.length > 1
                ? [
                      select(
                          "Show",
                          [
                              ["cycles", "cycles"],
                              ["share", "share of each bar"],
                          ],
                          (value) => {
                              unit = value;
                              made.redraw();
                          },
                      ),
                  ]
                : [],
        draw: (width, hidden) => {
            const look = axisLook(),
                narrow = width < 520;
            const value = (bar, key) => (bar.stalls[key] ?? 0) / (unit === "share" ? bar.total || 1 : 1);
            const longest = Math.max(...bars.map((b) => b.total));
            const factor = longest >= 2e6 ? [1e6, "M cycles"] : longest >= 2e3 ? [1e3, "k cycles"] : [1, "cycles"];
            const ordered = [...bars].reverse(); // the first one on top
            return {
                height: 64 + bars.length * (narrow ? 44 : 40),
                option: {
                    grid: grid({ left: narrow ? 96 : 140, right: 24, top: 8, bottom: 48 }),
                    xAxis:
                        unit === "share"
                            ? { ...shareAxis({ name: "share of the bar's cycles" }), nameLocation: "middle", nameGap: 28 }
                            : {
                                  type: "value",
                                  ...look,
                                  splitNumber: narrow ? 3 : 6,
                                  name: factor[1],
                                  nameLocation: "middle",
                                  nameGap: 28,
                                  axisLabel: { ...look.axisLabel, formatter: (v) => String(v / factor[0]) },
                              },
                    yAxis: {
                        type: "category",
                        data: ordered.map((b) => b.name),
                        ...look,
                        axisTick: { show: false },
                        axisLabel: {
                            ...look.axisLabel,
                            hideOverlap: false,
                            lineHeight: 16,
                            width: narrow ? 84 : 126,
                            overflow: "break",
                        },
                    },
                    tooltip: tooltip({
                        trigger: "axis",
                        axisPointer: { type: "none" },
                        formatter: (points) => {
                            const bar = ordered[points[0].dataIndex];
                            return tip(
                                `${bar.name}: ${whole(bar.total)} cycles`,
                                used
                                    .filter((key) => bar.stalls[key] > 0)
                                    .sort((a, b) => bar.stalls[b] - bar.stalls[a])
                                    .map((key) => [reasonColor(key), reasonName(key), `${percent(bar.stalls[key] / bar.total)}`]),
                            );
                        },
                    }),
                    series: used
                        .filter((key) => !hidden.has(key))
                        .map((key) => ({
                            name: key,
                            type: "bar",
                            stack: "all",
                            barMaxWidth: 26,
                            itemStyle: { color: reasonColor(key) },
                            data: ordered.map((b) => value(b, key)),
                        })),
                },
            };
        },
        table: () => ({
            columns: [
                { name: "" },
                { name: "cycles", number: true, text: whole },
                ...used.map((key) => ({ name: reasonName(key), number: true, text: whole })),
            ],
            rows: bars.map((b) => [b.name, b.total, ...used.map((key) => b.stalls[key] ?? 0)]),
        }),
    });
    return made;
}

function phasesFigure(run) {
    const phases = at(run, "summary", "cycles", "by_phase");
    const total = totalOf(run);
    if (!phases || typeof phases !== "object")
        return missing(
            `How the cycles divide among forward, loss gradient, recompute, backward and transfer is not known: ${withoutSummary(run, "cycles.by_phase")}.`,
        );
    const bars = Object.entries(phases)
        .filter(([, p]) => p?.total > 0)
        .map(([key, p]) => ({ name: phaseName(key), total: p.total, stalls: p.stalls ?? {} }));
    if (bars.length === 0) return missing("No cycle of this run belongs to a phase.");
    const largest = bars.reduce((a, b) => (b.total > a.total ? b : a));
    const worst = bars
        .filter((b) => b === largest || b.total > 0.05 * total)
        .map((b) => ({ b, waits: b.total - sum(["compute", "fill", "drain", "weight_load"].map((k) => b.stalls[k])) }))
        .sort((x, y) => y.waits / y.b.total - x.waits / x.b.total)[0];
    return reasonsFigure({
        id: "chart-phases",
        title: "Reasons by phase of training",
        bars,
        summary: `${capital(largest.name)} takes most: ${percent(largest.total / total)} of all cycles. Of the phases that take more than a twentieth, the array waits most in ${worst.b.name}: ${percent(worst.waits / worst.b.total)} of that phase's cycles.`,
    });
}

function validSeries(object) {
    return object && typeof object === "object"
        ? Object.entries(object).filter(([, values]) => Array.isArray(values) && values.length > 0)
        : [];
}

const drawnStretches = 340; // drawn at most: more are narrower than a line

/** cycles.over_time, with as many of its intervals put together as it takes. */
function overTime(run) {
    const over = at(run, "summary", "cycles", "over_time");
    const all = [...validSeries(over?.engines), ...validSeries(over?.stalls)];
    if (all.length === 0) return over;
    const factor = Math.ceil(Math.max(...all.map(([, values]) => values.length)) / drawnStretches);
    const coarser = (object) =>
        Object.fromEntries(
            validSeries(object).map(([key, values]) => [
                key,
                Array.from({ length: Math.ceil(values.length / factor) }, (_, i) => sum(values.slice(i * factor, (i + 1) * factor))),
            ]),
        );
    return { first: numberOr0(over.first), interval: over.interval * factor, engines: coarser(over.engines), stalls: coarser(over.stalls) };
}

function reasonsOverTimeFigure(run) {
    const over = overTime(run),
        series = validSeries(over?.stalls).filter(([, values]) => sum(values) > 0);
    if (series.length === 0 || !(over.interval > 0))
        return missing(`How the reasons change over time is not known: ${withoutSummary(run, "cycles.over_time")}.`);
    series.sort(([a], [b]) => Object.keys(reasons).indexOf(a) - Object.keys(reasons).indexOf(b));
    const length = series[0][1].length,
        hertz = hertzOf(run);
    const totals = Array.from({ length }, (_, i) => sum(series.map(([, values]) => values[i])) || 1);
    const cycle = (i) => over.first + i * over.interval;
    return figure({
        id: "chart-reasons-time",
        title: "Reasons over time",
        summary: `Share of the cycles in every ${whole(over.interval)} cycles, from cycle ${whole(over.first)} on, when the first doorbell rang.`,
        legend: series.map(([key]) => ({ key, name: reasonName(key), color: () => reasonColor(key) })),
        draw: (width, hidden) => ({
            height: width < 520 ? 270 : 300,
            option: {
                grid: grid({ left: 52, right: 20, top: 12, bottom: 48 }),
                xAxis: runAxis(over, length, hertz, width),
                yAxis: shareAxis(),
                tooltip: tooltip({
                    trigger: "axis",
                    formatter: (points) => {
                        const i = Math.min(length - 1, points[0].dataIndex);
                        return tip(
                            `From cycle ${whole(cycle(i))}`,
                            series
                                .filter(([, values]) => values[i] > 0)
                                .sort(([, a], [, b]) => b[i] - a[i])
                                .slice(0, 9)
                                .map(([key, values]) => [reasonColor(key), reasonName(key), percent(values[i] / totals[i])]),
                        );
                    },
                }),
                series: series
                    .filter(([key]) => !hidden.has(key))
                    .map(([key, values]) => ({
                        name: key,
                        type: "line",
                        stack: "all",
                        step: "end",
                        symbol: "none",
                        lineStyle: { width: 0 },
                        areaStyle: { color: reasonColor(key), opacity: 1 },
                        itemStyle: { color: reasonColor(key) },
                        data: [
                            ...values.map((v, i) => [cycle(i), v / totals[i]]),
                            [cycle(length), values[length - 1] / totals[length - 1]],
                        ],
                    })),
            },
        }),
        table: () =>
            tenths(
                length,
                over,
                series.map(([key, values]) => [
                    reasonName(key),
                    (from, to) => sum(values.slice(from, to)) / sum(totals.slice(from, to)),
                ]),
            ),
    });
}

/** The cycles that cycles.over_time is about: those of the run, as everywhere on the page. */
function runAxis(over, length, hertz, width) {
    const axis = cycleAxis(over.first + over.interval * length, "of the run", hertz, width, { min: over.first });
    return { ...axis, axisLabel: { ...axis.axisLabel, showMinLabel: over.first === 0 } };
}

/** A table of ten stretches for a chart of many. */
function tenths(length, over, columns) {
    const rows = Math.min(10, length);
    return {
        columns: [
            { name: "from cycle", number: true, text: whole },
            ...columns.map(([name]) => ({ name, number: true, text: percent })),
        ],
        rows: Array.from({ length: rows }, (_, i) => [
            Math.floor((i * length) / rows),
            Math.floor(((i + 1) * length) / rows),
        ]).map(([from, to]) => [over.first + from * over.interval, ...columns.map(([, value]) => value(from, to))]),
    };
}

function enginesFigure(run) {
    const over = overTime(run),
        engines = validSeries(over?.engines),
        hertz = hertzOf(run);
    if (engines.length === 0 || !(over.interval > 0))
        return missing(`How busy the engines were over time is not known: ${withoutSummary(run, "cycles.over_time")}.`);
    const length = engines[0][1].length,
        total = totalOf(run);
    // The last stretch may be cut by the end of the run.
    const start = (i) => over.first + i * over.interval;
    const size = (i) => Math.max(1, Math.min(over.interval, total - i * over.interval));
    const busy = engines.map(([key, values]) => ({
        key,
        name: engineName(key),
        values: values.map((v, i) => Math.min(1, v / size(i))),
        share: total > 0 ? sum(values) / total : 0,
    }));
    const ranked = [...busy].sort((a, b) => b.share - a.share);
    const color = (key) =>
        key === "pe"
            ? reasonColor("compute")
            : key === "activation"
              ? reasonColor("activation")
              : key === "vector"
                ? reasonColor("vector")
                : reasonColor("dram");
    return figure({
        id: "chart-engines",
        title: "Utilisation of each engine over time",
        summary: `Share of the cycles in which an engine was busy, in stretches of ${whole(over.interval)} cycles from cycle ${whole(over.first)} on, when the first doorbell rang; each band reaches from 0 to 100 %. Over the whole run: ${list(ranked.slice(0, 4).map((e) => `${e.name} ${percent(e.share)}`))}.`,
        draw: (width) =>
            bands(
                width,
                busy.map((e) => ({
                    name: capital(e.name),
                    color: color(e.key),
                    share: e.share,
                    data: [...e.values.map((v, n) => [start(n), v]), [start(length), e.values[length - 1]]],
                })),
                runAxis(over, length, hertz, width),
                (cycle) => {
                    const i = Math.max(0, Math.min(length - 1, Math.floor((cycle - over.first) / over.interval)));
                    return tip(
                        `From cycle ${whole(start(i))}`,
                        busy.map((e) => [color(e.key), e.name, percent(e.values[i])]),
                    );
                },
            ),
        table: () =>
            tenths(
                length,
                over,
                busy.map((e) => [e.name, (from, to) => sum(e.values.slice(from, to)) / (to - from)]),
            ),
    });
}

/** What every engine did in the whole run: busy, waiting (for whom), idle. */
function enginesPanel(run) {
    const engines = at(run, "summary", "cycles", "engines"),
        total = totalOf(run);
    if (!engines || typeof engines !== "object" || Object.keys(engines).length === 0)
        return missing(`What each engine waited for is not known: ${withoutSummary(run, "cycles.engines")}.`);
    const rows = Object.entries(engines).map(([key, e]) => {
        const waits = Object.entries(e?.waiting ?? {})
            .filter(([, c]) => c > 0)
            .sort(([, a], [, b]) => b - a);
        return [
            engineName(key),
            (e?.busy ?? 0) / total,
            sum(waits.map(([, c]) => c)) / total,
            (e?.idle ?? 0) / total,
            waits.length
                ? list(
                      waits
                          .slice(0, 3)
                          .map(([whom, c]) => `${reasons[whom] ? reasonName(whom) : engineName(whom)} ${percent(c / total)}`),
                  )
                : "–",
        ];
    });
    return element(
        "div",
        { class: "panel" },
        element("h3", {}, "What each engine did"),
        paragraph("Share of all cycles of the run."),
        tableOf({
            columns: [
                { name: "engine" },
                { name: "busy", number: true, text: percent },
                { name: "waiting", number: true, text: percent },
                { name: "idle", number: true, text: percent },
                { name: "waited most for", class: "wide" },
            ],
            rows,
        }),
    );
}
