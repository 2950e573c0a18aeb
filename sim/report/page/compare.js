// Two runs side by side.

const runColors = [
    ["#2f6fb3", "#6aa9e9"],
    ["#cf6a1e", "#f2a25c"],
];

function comparedText(row, value) {
    if (!isNumber(value)) return "–";
    if (row.unit === "bytes") return bytes(value);
    if (row.unit === "share") return percent(value);
    if (row.unit === "s") return seconds(value);
    if (row.unit === "cycles" || Number.isInteger(value)) return value >= 1e9 ? count(value) : whole(value);
    return value.toFixed(4);
}

function changeCell(row) {
    if (!isNumber(row.first) || !isNumber(row.second)) return element("span", { class: "soft" }, "–");
    if (row.change === 0) return element("span", { class: "soft" }, "same");
    if (!isNumber(row.change)) return element("span", {}, "new");
    const text = `${row.change > 0 ? "+" : "−"}${Math.abs(100 * row.change).toFixed(2)} %`;
    return element("span", {}, text);
}

function comparisonPanel(data, names) {
    const groups = {
        result: "Result",
        time: "Time",
        stalls: "Where the cycles went",
        phases: "Cycles by phase",
        memory: "Memory",
    };
    let group = "";
    const body = [];
    for (const row of data.comparison) {
        if (row.group !== group) {
            group = row.group;
            body.push(element("tr", { class: "group" }, element("td", { colspan: "4" }, groups[group] ?? group)));
        }
        const name =
            row.group === "stalls"
                ? reasonName(row.name)
                : row.group === "phases"
                  ? phaseName(row.name)
                  : row.group === "memory"
                    ? row.name.replace(/^[a-z_]+/, memoryName)
                    : row.name;
        body.push(
            element(
                "tr",
                {},
                element("td", {}, name),
                element("td", { class: "number" }, comparedText(row, row.first)),
                element("td", { class: "number" }, comparedText(row, row.second)),
                element("td", { class: "number" }, changeCell(row)),
            ),
        );
    }
    return element(
        "div",
        { class: "panel" },
        element("h3", {}, "The numbers"),
        element(
            "div",
            { class: "scroll" },
            element(
                "table",
                {},
                element(
                    "thead",
                    {},
                    element(
                        "tr",
                        {},
                        element("th", { scope: "col" }, ""),
                        ...names.map((n, i) =>
                            element(
                                "th",
                                { scope: "col", class: "number" },
                                element("span", { "class": "chip", "data-run": i, "style": `background:${shade(runColors[i])}` }),
                                ` ${n}`,
                            ),
                        ),
                        element("th", { scope: "col", class: "number" }, "difference"),
                    ),
                ),
                element("tbody", {}, ...body),
            ),
        ),
    );
}

function comparedReasons(runs, names) {
    const bars = runs
        .map((run, i) => ({ name: names[i], total: totalOf(run), stalls: at(run, "summary", "cycles", "stalls") ?? {} }))
        .filter((b) => b.total > 0);
    if (bars.length === 0) return missing("Neither run left an account of its cycles.");
    return reasonsFigure({
        id: "chart-compared-reasons",
        title: "Where the cycles went",
        bars,
        summary: bars
            .map((b) => {
                const worst = rankedReasons(b.stalls, b.total).find((r) => r.key !== "compute");
                return `${b.name}: ${whole(b.total)} cycles, ${percent((b.stalls.compute ?? 0) / b.total)} computing${worst ? `; the largest other part: ${percent(worst.share)} (${worst.name})` : ""}.`;
            })
            .join(" "),
    });
}

function comparedMemory(runs, names) {
    const memories = runs.map(memoriesOf),
        all = [...new Set(memories.flat().map((m) => m.name))].filter((n) =>
            memories.some((ms) => ms.some((m) => m.name === n && m.peak > 0)),
        );
    if (all.length === 0) return missing("Neither run left an account of its memories.");
    const share = (i, name) => memories[i].find((m) => m.name === name);
    return figure({
        id: "chart-compared-memory",
        title: "Peaks of memory against capacity",
        summary: `Share of each memory's own capacity. ${list(all.slice(0, 7).map((n) => `${memoryName(n)} ${runs.map((_, i) => (share(i, n) ? bytes(share(i, n).peak) : "–")).join(" and ")}`))}.`,
        legend: names.map((name, i) => ({ key: String(i), name, color: () => shade(runColors[i]) })),
        draw: (width, hidden) => {
            const look = axisLook(),
                narrow = width < 520,
                ordered = [...all].reverse();
            return {
                height: 64 + all.length * 40,
                option: {
                    grid: grid({ left: narrow ? 96 : 150, right: 24, top: 8, bottom: 48 }),
                    xAxis: { ...shareAxis({ name: "peak, share of capacity" }), nameLocation: "middle", nameGap: 28 },
                    yAxis: {
                        type: "category",
                        data: ordered.map(memoryName),
                        ...look,
                        axisTick: { show: false },
                        axisLabel: {
                            ...look.axisLabel,
                            hideOverlap: false,
                            width: narrow ? 86 : 136,
                            lineHeight: 16,
                            overflow: "break",
                        },
                    },
                    tooltip: tooltip({
                        trigger: "axis",
                        axisPointer: { type: "none" },
                        formatter: (points) =>
                            tip(
                                memoryName(ordered[points[0].dataIndex]),
                                runs.map((_, i) => {
                                    const m = share(i, ordered[points[0].dataIndex]);
                                    return [shade(runColors[i]), names[i], m ? `${bytes(m.peak)} of ${bytes(m.capacity)}` : "–"];
                                }),
                            ),
                    }),
                    series: runs
                        .map((_, i) => i)
                        .filter((i) => !hidden.has(String(i)))
                        .map((i) => ({
                            name: names[i],
                            type: "bar",
                            barMaxWidth: 13,
                            itemStyle: { color: shade(runColors[i]), borderRadius: [0, 3, 3, 0] },
                            data: ordered.map((n) => share(i, n)?.share ?? 0),
                        })),
                },
            };
        },
        table: () => ({
            columns: [
                { name: "memory" },
                ...names.flatMap((n) => [
                    { name: `${n}, peak`, number: true, text: bytes },
                    { name: "capacity", number: true, text: bytes },
                ]),
            ],
            rows: all.map((n) => [
                memoryName(n),
                ...runs.flatMap((_, i) => [share(i, n)?.peak ?? null, share(i, n)?.capacity ?? null]),
            ]),
        }),
    });
}

/** Live bytes of one memory over a step, one curve a run. */
function comparedLive(runs, names) {
    const shown = runs
        .map((run, i) => ({
            name: names[i],
            i,
            step: run.memory?.steps?.[1] ?? run.memory?.steps?.[0],
            capacities: capacitiesOf(run),
        }))
        .filter((s) => s.step);
    const held = [...new Set(shown.flatMap((s) => Object.keys(s.step.occupancy)))].filter((n) =>
        shown.some((s) => s.step.occupancy[n]?.live.some((v) => v > 0)),
    );
    if (held.length === 0) return missing("Neither log holds samples of memory in a step.");
    let name = held.includes("activations") ? "activations" : held[0];
    const curve = (s) => {
        const live = s.step.occupancy[name] ?? { cycles: [0], live: [0] };
        return [...live.cycles.map((c, i) => [c, live.live[i]]), [s.step.last - s.step.first, live.live[live.live.length - 1]]];
    };
    const highest = (s) => Math.max(...curve(s).map(([, v]) => v));
    const made = figure({
        id: "chart-compared-live",
        title: "Live bytes in a step",
        summary: () =>
            `${capital(memoryName(name))}, where commands begin or end. ${shown.map((s) => `${s.name}, step ${s.step.step}: at most ${bytes(highest(s))}${s.capacities[name] ? ` of ${bytes(s.capacities[name])}` : ""}, ${whole(s.step.last - s.step.first)} cycles.`).join(" ")}`,
        legend: shown.map((s) => ({ key: String(s.i), name: s.name, color: () => shade(runColors[s.i]) })),
        controls: [
            select(
                "Memory",
                held.map((n) => [n, memoryName(n)]),
                (value) => {
                    name = value;
                    made.redraw();
                },
            ),
        ],
        draw: (width, hidden) => ({
            height: width < 520 ? 250 : 290,
            option: {
                grid: grid({ left: 68, right: 20, top: 16, bottom: 48 }),
                xAxis: cycleAxis(
                    Math.max(1, ...shown.map((s) => s.step.last - s.step.first)),
                    "since the step began",
                    hertzOf(runs[0]),
                    width,
                ),
                yAxis: byteAxis(Math.max(1, ...shown.map(highest))),
                tooltip: tooltip({
                    trigger: "axis",
                    formatter: (points) =>
                        tip(
                            `${whole(points[0].axisValue)} cycles into the step`,
                            shown.map((s) => [shade(runColors[s.i]), s.name, bytes(valueAt(curve(s), points[0].axisValue))]),
                        ),
                }),
                series: shown
                    .filter((s) => !hidden.has(String(s.i)))
                    .map((s) => ({
                        name: s.name,
                        type: "line",
                        step: "end",
                        symbol: "none",
                        lineStyle: { width: 1.75, color: shade(runColors[s.i]) },
                        itemStyle: { color: shade(runColors[s.i]) },
                        areaStyle: { color: shade(runColors[s.i]), opacity: 0.14 },
                        data: curve(s),
                    })),
            },
        }),
        table: () => ({
            columns: [
                { name: "run" },
                { name: "cycle of the step", number: true, text: whole },
                { name: "live", number: true, text: bytes },
            ],
            rows: shown.flatMap((s) =>
                curve(s)
                    .slice(0, 300)
                    .map(([c, v]) => [s.name, c, v]),
            ),
        }),
    });
    made.querySelector("select").value = name;
    return made;
}

/** Both schedules of a training step over one time axis. */
function comparedSchedules(runs, names) {
    const steps = runs.map(
        (run) =>
            (run.schedule?.steps ?? []).find((s) => s.kind === "training" && s.step > 1) ??
            (run.schedule?.steps ?? []).find((s) => s.kind === "training" || s.kind === "work"),
    );
    const shown = runs.map((run, i) => ({ run, step: steps[i], name: names[i] })).filter((s) => s.step);
    if (shown.length === 0) return missing("Neither log holds commands.");
    shown.forEach((s) => {
        s.all = drawable(commandsOf(s.run, s.step)).drawn;
        s.lanes = lanesOf(s.all);
        s.span = Math.max(1, s.step.last - s.step.first);
    });
    const span = Math.max(...shown.map((s) => s.span)),
        hertz = hertzOf(shown[0].run);
    const phases = [...new Set(shown.flatMap((s) => s.all.map((c) => c.phase)))];
    return figure({
        id: "chart-compared-schedules",
        title: "Both schedules, to one scale of time",
        summary: shown
            .map((s) => `${s.name}, ${stepTitle(s.step)}: ${plural(s.step.commands, "command")} in ${whole(s.span)} cycles.`)
            .join(" "),
        legend: phases.map((phase) => ({ key: phase, name: phaseName(phase), color: () => phaseColor(phase) })),
        draw: (width, hidden) => {
            const look = axisLook(),
                narrow = width < 520;
            let top = 26;
            const grids = shown.map((s) => {
                const lane = Math.max(5, Math.min(22, Math.floor(300 / s.lanes.length)));
                const place = grid({ left: narrow ? 58 : 72, right: 20, top, height: lane * s.lanes.length });
                top += place.height + 34;
                return place;
            });
            const visible = shown.map((s) => s.all.filter((c) => !hidden.has(c.phase)));
            return {
                height: top + 26,
                option: {
                    grid: grids,
                    xAxis: shown.map((s, i) =>
                        cycleAxis(span, "since the step began", hertz, width, {
                            gridIndex: i,
                            ...(i + 1 < shown.length ? { name: "", axisLabel: { show: false } } : {}),
                        }),
                    ),
                    yAxis: shown.map((s, i) => ({
                        type: "category",
                        gridIndex: i,
                        data: s.lanes.map((l) => laneName(l, s.lanes)),
                        ...look,
                        axisTick: { show: false },
                        name: s.name,
                        nameLocation: "end",
                        nameGap: 8,
                        nameTextStyle: {
                            color: theme().ink,
                            align: "left",
                            padding: [0, 0, 0, -(narrow ? 50 : 64)],
                            width: width - 24,
                            overflow: "truncate",
                        },
                    })),
                    tooltip: tooltip({
                        trigger: "item",
                        formatter: (point) =>
                            commandTip(visible[point.seriesIndex][point.data[3]], shown[point.seriesIndex].step.first),
                    }),
                    series: shown.map((s, i) => scheduleSeries(visible[i], s.lanes, i, s.name)),
                },
            };
        },
        table: () => ({
            columns: [
                { name: "run" },
                { name: "phase" },
                { name: "commands", number: true, text: whole },
                { name: "cycles", number: true, text: whole },
            ],
            rows: shown.flatMap((s) =>
                phases.map((phase) => {
                    const its = commandsOf(s.run, s.step).filter((c) => c.phase === phase);
                    return [s.name, phaseName(phase), its.length, sum(its.map((c) => c.ended - c.begun))];
                }),
            ),
        }),
    });
}

function comparePage(data) {
    const [a, b] = data.runs,
        names = a.folder === b.folder ? [`${a.folder} (1)`, `${b.folder} (2)`] : [String(a.folder), String(b.folder)];
    const curves = data.runs.map((run, i) => ({
        name: names[i],
        color: () => shade(runColors[i]),
        steps: run.steps,
        dashed: i === 1,
    }));
    const cycles = [totalOf(a), totalOf(b)];
    const change = cycles[0] > 0 && cycles[1] > 0 ? cycles[1] / cycles[0] - 1 : null;
    const lead =
        change === null
            ? "One of the runs has no count of cycles."
            : change === 0
              ? "Both took the same number of cycles."
              : `The second took ${percent(Math.abs(change))} ${change > 0 ? "more" : "fewer"} cycles than the first.`;
    return [
        element(
            "header",
            {},
            element("p", { class: "brand" }, "Retrace comparison"),
            element("h1", {}, `${names[0]} and ${names[1]}`),
            paragraph(lead, "lead"),
            ...(data.remarks ?? []).map((r) => paragraph(String(r).replaceAll("`", "'"), "lead")),
        ),
        guarded(() => comparisonPanel(data, names)),
        ...(curves.some((c) => c.steps)
            ? [element("h2", { id: "right" }, "Was it right?"), guarded(() => trainingFigure(curves))]
            : []),
        element("h2", { id: "limits" }, "What limited them?"),
        guarded(() => comparedReasons(data.runs, names)),
        element("h2", { id: "fit" }, "Did they fit?"),
        guarded(() => comparedMemory(data.runs, names)),
        guarded(() => comparedLive(data.runs, names)),
        element("h2", { id: "schedule" }, "When did what run?"),
        guarded(() => comparedSchedules(data.runs, names)),
    ];
}
