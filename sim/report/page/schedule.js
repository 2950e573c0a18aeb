// The schedule as a picture: which layer ran when, in which phase.

function stepTitle(step) {
    if (step.kind === "setup") return "set-up (programs into device memory)";
    if (step.kind === "evaluation") return "evaluation";
    return step.kind === "work" ? `step ${step.step}` : `training step ${step.step}`;
}

/** The commands of a step as [{begun, ended, phase, layer, sequence, open}], cycles from the step's begin. */
function commandsOf(run, step) {
    const span = step.last - step.first;
    return step.begun.map((begun, i) => {
        const open = step.duration[i] < 0;
        return {
            begun,
            ended: open ? span : begun + step.duration[i],
            phase: run.schedule.phases[step.phase[i]] ?? "none",
            layer: step.layer[i],
            sequence: step.sequence[i],
            open,
        };
    });
}

const drawnCommands = 4000; // more rectangles make a page slow; neighbours of one lane and phase then become one

/** Neighbours of one lane and phase that are at most `gap` cycles apart as one. */
function mergedCommands(commands, gap) {
    const latest = new Map(),
        drawn = [];
    for (const c of commands) {
        const key = `${c.layer} ${c.phase}`,
            before = latest.get(key);
        if (before && c.begun - before.ended <= gap) {
            before.ended = Math.max(before.ended, c.ended);
            before.count += 1;
            before.open ||= c.open;
        } else {
            const made = { ...c, count: 1 };
            latest.set(key, made);
            drawn.push(made);
        }
    }
    return drawn;
}

/** What of the commands is drawn, all of it however many they are: {drawn, gap}; gap 0: each by itself. */
function drawable(commands) {
    if (commands.length <= drawnCommands) return { drawn: commands, gap: 0 };
    const span = commands.reduce((end, c) => Math.max(end, c.ended), 0) - commands[0].begun;
    let gap = Math.max(1, Math.round(span / drawnCommands)),
        drawn = mergedCommands(commands, gap);
    for (; drawn.length > 2 * drawnCommands && gap < span; drawn = mergedCommands(commands, gap)) gap *= 2;
    return { drawn, gap };
}

/** Rectangles of commands in lanes by layer. Transfers are thin: they run beside the computation. */
function scheduleSeries(commands, lanes, index, name) {
    return {
        type: "custom",
        name,
        xAxisIndex: index,
        yAxisIndex: index,
        clip: true,
        encode: { x: [0, 1], y: 2 },
        data: commands.map((c, i) => [c.begun, c.ended, lanes.indexOf(c.layer), i]),
        renderItem: (params, api) => {
            const c = commands[api.value(3)],
                from = api.coord([api.value(0), api.value(2)]),
                to = api.coord([api.value(1), api.value(2)]);
            const lane = api.size([0, 1])[1],
                thin = c.phase === "transfer";
            const height = Math.max(1.5, lane * (thin ? 0.2 : 0.62));
            const area = params.coordSys;
            const x = Math.max(from[0], area.x),
                end = Math.min(Math.max(to[0], from[0] + 1), area.x + area.width);
            if (end <= x) return null;
            return {
                type: "rect",
                shape: {
                    x,
                    y: thin ? from[1] + lane * 0.33 - height / 2 : from[1] - lane * 0.06 - height / 2,
                    width: end - x,
                    height,
                    r: lane > 14 && !thin ? 2 : 0,
                },
                style: c.open ? { fill: phaseColor(c.phase), stroke: theme().bad, lineWidth: 2 } : { fill: phaseColor(c.phase) },
            };
        },
    };
}

function lanesOf(commands) {
    return [...new Set(commands.map((c) => c.layer))].sort((a, b) => a - b);
}
function laneName(layer, lanes) {
    return layer > 0 ? `layer ${layer}` : lanes.length === 1 ? "all" : "input";
}

function commandTip(c, first) {
    return tip(`${phaseName(c.phase)}${c.layer > 0 ? `, layer ${c.layer}` : ""}`, [
        ["", c.count > 1 ? `${c.count} commands from` : "command", `#${c.sequence}`],
        ["", "from cycle", whole(first + c.begun)],
        ["", c.open ? "never ended" : "to cycle", c.open ? "" : whole(first + c.ended)],
        ["", "duration", `${whole(c.ended - c.begun)} cycles`],
    ]);
}

function scheduleFigure(run) {
    const schedule = run.schedule;
    if (!schedule || schedule.steps.length === 0)
        return missing(`There is no picture of the schedule: ${noCommands(run)}.`);
    const hertz = hertzOf(run);
    let step =
        schedule.steps.find((s) => s.kind === "training" && s.step > 1) ??
        schedule.steps.find((s) => s.kind === "training") ??
        schedule.steps.find((s) => s.kind === "work") ??
        schedule.steps[0];
    const options = schedule.steps.map((s, i) => [String(i), stepTitle(s)]);
    const text = () => {
        const commands = commandsOf(run, step),
            by = new Map();
        for (const c of commands) by.set(c.phase, (by.get(c.phase) ?? 0) + 1);
        const parts = [...by].map(([phase, n]) => `${n} × ${phaseName(phase)}`);
        let words = `${capital(stepTitle(step))}: ${plural(step.commands, "command")} in ${whole(step.last - step.first)} cycles (${list(parts)}).`;
        if (commands.some((c) => c.open))
            words += ` ${plural(commands.filter((c) => c.open).length, "command")} (outlined) never ended.`;
        if (step.begun.length < step.commands) words += ` Only the first ${whole(step.begun.length)} commands are on this page.`;
        const { gap } = drawable(commands);
        if (gap > 0) words += ` Commands of one layer and phase that are at most ${plural(gap, "cycle")} apart are drawn as one.`;
        if (schedule.steps.length < schedule.steps_in_run)
            words += ` This page holds ${whole(schedule.steps.length)} of ${whole(schedule.steps_in_run)} steps; the event log holds all.`;
        return words;
    };
    const made = figure({
        id: "chart-schedule",
        title: "The schedule: which layer ran when",
        summary: text,
        legend: () =>
            [...new Set(commandsOf(run, step).map((c) => c.phase))].map((phase) => ({
                key: phase,
                name: phaseName(phase),
                color: () => phaseColor(phase),
            })),
        controls: [
            select("Step", options, (value) => {
                step = schedule.steps[Number(value)];
                made.redraw();
            }),
        ],
        draw: (width, hidden) => {
            const commands = drawable(commandsOf(run, step)).drawn.filter((c) => !hidden.has(c.phase)),
                lanes = lanesOf(commandsOf(run, step)),
                look = axisLook();
            const lane = Math.max(6, Math.min(30, Math.floor(520 / lanes.length))),
                span = Math.max(1, step.last - step.first);
            const narrow = width < 520;
            return {
                height: lanes.length * lane + 84,
                option: {
                    grid: grid({ left: narrow ? 58 : 72, right: 20, top: 8, height: lanes.length * lane }),
                    xAxis: cycleAxis(span, "since the step began", hertz, width),
                    yAxis: {
                        type: "category",
                        data: lanes.map((l) => laneName(l, lanes)),
                        ...look,
                        axisTick: { show: false },
                        axisLabel: { ...look.axisLabel, hideOverlap: true },
                        splitLine: { show: lane > 10, lineStyle: { color: theme().faint } },
                    },
                    dataZoom: [
                        {
                            type: "slider",
                            height: 16,
                            bottom: 4,
                            filterMode: "weakFilter",
                            borderColor: theme().line,
                            fillerColor: "rgba(127,140,155,0.18)",
                            handleStyle: { color: theme().soft },
                            moveHandleSize: 0,
                            showDetail: false,
                            brushSelect: false,
                            showDataShadow: false,
                        },
                    ],
                    tooltip: tooltip({ trigger: "item", formatter: (point) => commandTip(commands[point.data[3]], step.first) }),
                    series: [scheduleSeries(commands, lanes, 0, "commands")],
                },
            };
        },
        table: () => ({
            columns: [
                { name: "command", number: true },
                { name: "phase" },
                { name: "layer", number: true, text: layerText },
                { name: "begun", number: true, text: whole },
                { name: "ended", number: true },
                { name: "cycles", number: true, text: whole },
            ],
            rows: commandsOf(run, step)
                .slice(0, 500)
                .map((c) => [
                    c.sequence,
                    phaseName(c.phase),
                    c.layer,
                    step.first + c.begun,
                    c.open ? "never" : whole(step.first + c.ended),
                    c.ended - c.begun,
                ]),
            note: step.begun.length > 500 ? "The first 500 commands." : "",
        }),
    });
    made.querySelector("select").value = String(schedule.steps.indexOf(step));
    return made;
}
