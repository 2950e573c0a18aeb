// Did it fit: peaks against capacities, live bytes of a step by tensor, live bytes over the run.

const memoryNames = {
    state_buffer: "state buffer",
    psum: "PSUM",
    device_dram: "device DRAM",
    activations: "activations",
    gradients: "gradients",
    weights: "weights",
    programs: "programs",
};
function memoryName(name) {
    return memoryNames[name] ?? name;
}
const wholeMemories = ["state_buffer", "psum", "device_dram"];
function isRegion(name) {
    return !wholeMemories.includes(name);
}

function peaksPanel(run) {
    const memories = memoriesOf(run);
    if (memories.length === 0) return missing(`How full the memories were at most is not known: ${withoutSummary(run, "memory")}.`);
    const planned = memories.some((m) => m.planned > 0);
    const meter = (m) =>
        element(
            "span",
            { "class": "meter", "role": "img", "aria-label": `${percent(m.share)} full` },
            m.peak > 0
                ? element("span", {
                      class: m.share >= 0.9995 ? "full" : undefined,
                      style: `width:${Math.min(100, 100 * m.share)}%`,
                  })
                : null,
        );
    return element(
        "div",
        { class: "panel" },
        element("h3", {}, "Peaks against capacity"),
        paragraph(
            planned
                ? memories.every((m) => m.planned === m.peak)
                    ? "Every measured peak is exactly what the plan predicted."
                    : "Some peaks are not what the plan predicted."
                : "The run has no plan, or did not come far enough to compare with it.",
        ),
        tableOf({
            columns: [
                { name: "memory or region" },
                { name: "peak of capacity" },
                { name: "", number: true, text: percent },
                { name: "peak", number: true, text: bytes },
                { name: "planned", number: true, text: (v) => (v === null ? "–" : bytes(v)) },
                { name: "capacity", number: true, text: bytes },
            ],
            rows: memories.map((m) => [
                isRegion(m.name) ? `${m.title} (in DRAM)` : m.name === "state_buffer" ? `${m.title} (SRAM)` : m.title,
                meter(m),
                m.share,
                m.peak,
                planned ? m.planned : null,
                m.capacity,
            ]),
        }),
    );
}

/** Where each region of device DRAM lies: regions follow each other from address 0 in the summary's order. */
function regionRanges(run) {
    let base = 0;
    return memoriesOf(run)
        .filter((m) => isRegion(m.name))
        .map((m) => {
            const range = { name: m.name, from: base, to: base + m.capacity };
            base += m.capacity;
            return range;
        });
}

/** Live bytes of each tensor in a step as [{index, name, points: [[cycle, bytes]]}]; a value holds until the next point. */
function tensorCurves(memory, step, wanted) {
    const curves = new Map();
    const add = (tensor, cycle, value) => {
        if (!wanted(tensor)) return;
        if (!curves.has(tensor)) curves.set(tensor, [[0, 0]]);
        const points = curves.get(tensor),
            last = points[points.length - 1];
        if (last[0] === cycle) last[1] = value;
        else points.push([cycle, value]);
    };
    step.start.forEach(([tensor, value]) => add(tensor, 0, value));
    step.changes.forEach(([cycle, tensor, value]) => add(tensor, cycle, value));
    return [...curves]
        .map(([index, points]) => ({ index, name: String(memory.tensors[index]), points }))
        .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

function valueAt(points, cycle) {
    let low = 0,
        high = points.length - 1;
    if (points.length === 0 || points[0][0] > cycle) return 0;
    while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (points[middle][0] <= cycle) low = middle;
        else high = middle - 1;
    }
    return points[low][1];
}

const stackedTensors = 24;

/** What is stacked for one memory in one step: curves over common cycles, and the rest that belongs to no finished tensor. */
function stackOf(run, step, name) {
    const memory = run.memory,
        ranges = regionRanges(run),
        range = ranges.find((r) => r.name === name),
        occupancy = step.occupancy[name];
    const total = (occupancy?.cycles ?? []).map((c, i) => [c, occupancy.live[i]]);
    let curves = [];
    if (name === "device_dram") curves = tensorCurves(memory, step, () => true);
    else if (range)
        curves = tensorCurves(memory, step, (tensor) => memory.placed[tensor] >= range.from && memory.placed[tensor] < range.to);
    const largest = (c) => Math.max(...c.points.map(([, v]) => v));
    const kept = new Set([...curves].sort((a, b) => largest(b) - largest(a)).slice(0, stackedTensors));
    const others = curves.filter((c) => !kept.has(c));
    const cycles = [
        ...new Set([
            0,
            step.last - step.first,
            ...total.map(([c]) => c),
            ...curves.flatMap((c) => c.points.map(([cycle]) => cycle)),
        ]),
    ].sort((a, b) => a - b);
    const stack = curves
        .filter((c) => kept.has(c))
        .map((c) => ({ name: c.name, index: c.index, values: cycles.map((cycle) => valueAt(c.points, cycle)) }));
    if (others.length)
        stack.push({
            name: `${others.length} smaller tensors`,
            index: -1,
            values: cycles.map((cycle) => sum(others.map((c) => valueAt(c.points, cycle)))),
        });
    const known = cycles.map((_, i) => sum(stack.map((s) => s.values[i])));
    const rest = cycles.map((cycle, i) => Math.max(0, valueAt(total, cycle) - known[i]));
    const restName =
        curves.length === 0
            ? wholeMemories.includes(name) && name !== "device_dram"
                ? "working buffers of running commands"
                : memoryName(name)
            : "programs, and what is being written";
    if (rest.some((v) => v > 0)) stack.push({ name: restName, index: -2, values: rest });
    return { cycles, stack, total: cycles.map((_, i) => known[i] + rest[i]) };
}

/** Stretches of one phase, from the step's commands without transfers, for the strip below the chart. */
function phaseStretches(run, step) {
    const commands = commandsOf(run, step).filter((c) => c.phase !== "transfer" && c.phase !== "none"),
        stretches = [];
    for (const c of commands) {
        const last = stretches[stretches.length - 1];
        if (last && last.phase === c.phase) last.ended = Math.max(last.ended, c.ended);
        else stretches.push({ begun: c.begun, ended: c.ended, phase: c.phase });
    }
    return stretches;
}

function stripSeries(stretches, axis) {
    return {
        type: "custom",
        name: "phases",
        xAxisIndex: axis,
        yAxisIndex: axis,
        clip: true,
        encode: { x: [0, 1] },
        silent: true,
        data: stretches.map((s, i) => [s.begun, s.ended, i]),
        renderItem: (params, api) => {
            const from = api.coord([api.value(0), 0]),
                to = api.coord([api.value(1), 1]);
            return {
                type: "rect",
                shape: { x: from[0], y: params.coordSys.y, width: Math.max(1, to[0] - from[0]), height: params.coordSys.height },
                style: { fill: phaseColor(stretches[api.value(2)].phase) },
            };
        },
    };
}

function liveBytesFigure(run) {
    const memory = run.memory;
    if (!memory || memory.steps.length === 0)
        return missing(
            `There is no curve of live bytes in a step: ${memory ? "no step is small enough for this page" : noCommands(run)}.`,
        );
    const hertz = hertzOf(run),
        capacities = capacitiesOf(run),
        peaks = Object.fromEntries(memoriesOf(run).map((m) => [m.name, m.peak]));
    const names = Object.keys(memory.steps[0].occupancy);
    const order = ["activations", "gradients", "weights", "programs", "device_dram", "state_buffer", "psum"];
    const offered = [...order.filter((n) => names.includes(n)), ...names.filter((n) => !order.includes(n))].filter((n) =>
        memory.steps.some((s) => s.occupancy[n].live.some((v) => v > 0)),
    );
    if (offered.length === 0) return missing("No memory held a live byte when the log looked.");
    let name = offered[0],
        step = memory.steps[1] ?? memory.steps[0];
    const scheduled = () => run.schedule?.steps.find((s) => s.step === step.step);
    const stretches = () => (scheduled() ? phaseStretches(run, scheduled()) : []);
    const text = () => {
        const { total, stack } = stackOf(run, step, name),
            peak = Math.max(...total),
            capacity = capacities[name];
        const measured = peaks[name];
        let words = `${capital(memoryName(name))} in step ${step.step}: at most ${bytes(peak)} live where commands end`;
        words += capacity
            ? `, ${percent(peak / capacity)} of the capacity of ${bytes(capacity)}${measured ? ` (peak of the whole run: ${bytes(measured)})` : ""}.`
            : ".";
        if (stack.length > 1)
            words +=
                " Each colour is a tensor; a tensor counts from the end of the command that wrote it to the loss of its last byte.";
        if (stretches().some((s) => s.phase === "recompute") && name === "activations")
            words += " In the recompute phases the outputs of earlier layers come back, one after the other.";
        if (memory.steps_too_big) words += ` ${plural(memory.steps_too_big, "step")} had too many changes for this page.`;
        return words;
    };
    const color = (part) =>
        part.index >= 0 ? rampColor(part.place, part.of) : part.index === -1 ? reasonColor("host") : phaseColor("transfer");
    const parts = () => {
        const stack = stackOf(run, step, name);
        const tensors = stack.stack.filter((part) => part.index >= 0);
        tensors.forEach((part, i) => Object.assign(part, { place: i, of: tensors.length }));
        return stack;
    };
    const made = figure({
        id: "chart-live-bytes",
        title: "Live bytes in a step",
        summary: text,
        legend: () => [
            ...parts().stack.map((part) => ({ key: part.name, name: part.name, color: () => color(part) })),
            ...[...new Set(stretches().map((s) => s.phase))].map((phase) => ({
                key: `phase ${phase}`,
                name: `${phaseName(phase)} (strip)`,
                color: () => phaseColor(phase),
                fixed: true,
            })),
        ],
        controls: [
            select(
                "Memory",
                offered.map((n) => [n, memoryName(n)]),
                (value) => {
                    name = value;
                    made.redraw();
                },
            ),
            select(
                "Step",
                memory.steps.map((s, i) => [String(i), `step ${s.step}`]),
                (value) => {
                    step = memory.steps[Number(value)];
                    made.redraw();
                },
            ),
        ],
        draw: (width, hidden) => {
            const { cycles, stack, total } = parts(),
                span = Math.max(1, step.last - step.first),
                strip = stretches();
            const capacity = capacities[name] ?? 0,
                peak = Math.max(...total, 1),
                near = capacity > 0 && capacity <= 2.5 * peak;
            const left = 68,
                right = 20,
                narrow = width < 520,
                height = narrow ? 200 : 250,
                t = theme();
            const axis = cycleAxis(span, "since the step began", hertz, width);
            return {
                height: height + 26 + (strip.length ? 18 : 0) + 44,
                option: {
                    grid: [
                        grid({ left, right, top: 26, height }),
                        grid({ left, right, top: 26 + height + 6, height: strip.length ? 12 : 0 }),
                    ],
                    xAxis: [
                        { ...axis, ...(strip.length ? { name: "", axisLabel: { show: false }, axisTick: { show: false } } : {}) },
                        { ...axis, gridIndex: 1, show: strip.length > 0, axisLine: { show: false } },
                    ],
                    yAxis: [
                        byteAxis(near ? Math.max(capacity, peak) * 1.02 : peak),
                        { type: "value", gridIndex: 1, min: 0, max: 1, show: false },
                    ],
                    tooltip: tooltip({
                        trigger: "axis",
                        axisPointer: { type: "line" },
                        formatter: (points) => {
                            const point = points.find((p) => p.seriesType === "line");
                            if (!point) return "";
                            const i = point.dataIndex,
                                now = strip.find((s) => s.begun <= cycles[i] && cycles[i] <= s.ended);
                            return tip(
                                `Cycle ${whole(step.first + cycles[i])}: ${bytes(total[i])}`,
                                stack
                                    .filter((part) => part.values[i] > 0)
                                    .map((part) => [color(part), part.name, bytes(part.values[i])]),
                                now ? [phaseName(now.phase)] : [],
                            );
                        },
                    }),
                    series: [
                        ...stack
                            .filter((part) => !hidden.has(part.name))
                            .map((part, n) => ({
                                name: part.name,
                                type: "line",
                                stack: "live",
                                step: "end",
                                symbol: "none",
                                lineStyle: { width: 0 },
                                itemStyle: { color: color(part) },
                                areaStyle: { color: color(part), opacity: 0.9 },
                                data: cycles.map((c, i) => [c, part.values[i]]),
                                markLine:
                                    n === 0 && near
                                        ? {
                                              silent: true,
                                              symbol: "none",
                                              lineStyle: { color: t.bad, type: "dashed", width: 1.5 },
                                              label: {
                                                  formatter: `capacity ${bytes(capacity)}`,
                                                  color: t.bad,
                                                  position: "insideStartTop",
                                                  fontSize: 12,
                                              },
                                              data: [{ yAxis: capacity }],
                                          }
                                        : undefined,
                            })),
                        ...(strip.length ? [stripSeries(strip, 1)] : []),
                    ],
                },
            };
        },
        table: () => {
            const { cycles, stack, total } = stackOf(run, step, name),
                every = Math.ceil(cycles.length / 200);
            return {
                columns: [
                    { name: "cycle", number: true, text: whole },
                    { name: "live", number: true, text: bytes },
                    ...stack.map((part) => ({ name: part.name, number: true, text: (v) => (v ? bytes(v) : "–") })),
                ],
                rows: cycles
                    .map((c, i) => [step.first + c, total[i], ...stack.map((part) => part.values[i])])
                    .filter((_, i) => i % every === 0),
                note: every > 1 ? `Every ${every}th change.` : "",
            };
        },
    });
    const boxes = made.querySelectorAll("select");
    boxes[1].value = String(memory.steps.indexOf(step));
    return made;
}

function occupancyFigure(run) {
    const over = at(run, "memory", "over_run"),
        hertz = hertzOf(run);
    const capacities = capacitiesOf(run);
    const sampled = Object.entries(over ?? {}).filter(([, c]) => c.live.some((v) => v > 0)),
        curves = sampled.filter(([name]) => capacities[name] > 0);
    if (curves.length === 0)
        return missing(
            `There is no curve of live bytes over the run: ${!over ? noCommands(run) : sampled.length === 0 ? "the log holds no samples of memory" : "the capacities of its memories are not known"}.`,
        );
    const order = ["activations", "gradients", "weights", "programs", "device_dram", "state_buffer", "psum"],
        place = (name) => (order.indexOf(name) + order.length) % order.length;
    curves.sort(([a], [b]) => place(a) - place(b));
    const last = Math.max(...curves.map(([, c]) => c.cycles[c.cycles.length - 1])),
        begin = Math.min(...curves.map(([, c]) => c.cycles[0]));
    const first = begin > 0.2 * last ? begin : 0;
    const highest = (c) => Math.max(...c.live);
    return figure({
        id: "chart-occupancy",
        title: "Live bytes over the whole run",
        summary: `Each memory and region of device DRAM as a share of its own capacity, where commands begin or end; each band reaches from 0 to 100 %, and the number beside it is its highest value. Fullest: ${list(
            [...curves]
                .sort(([m, a], [n, b]) => highest(b) / capacities[n] - highest(a) / capacities[m])
                .slice(0, 3)
                .map(([n, c]) => `${memoryName(n)} ${percent(highest(c) / capacities[n])}`),
        )}. Of long runs every stretch keeps its lowest and its highest sample.`,
        draw: (width) =>
            bands(
                width,
                curves.map(([name, c]) => ({
                    name: capital(memoryName(name)),
                    color: memoryColor(name),
                    share: highest(c) / capacities[name],
                    data: [
                        ...c.cycles.map((cycle, i) => [cycle, c.live[i] / capacities[name]]),
                        [last, c.live[c.live.length - 1] / capacities[name]],
                    ],
                })),
                cycleAxis(last, "of the run", hertz, width, { min: first }),
                (cycle) =>
                    tip(
                        `Cycle ${whole(cycle)}`,
                        curves.map(([n, c]) => {
                            const live = valueAt(
                                c.cycles.map((x, i) => [x, c.live[i]]),
                                cycle,
                            );
                            return [memoryColor(n), memoryName(n), `${bytes(live)} (${percent(live / capacities[n])})`];
                        }),
                    ),
            ),
        table: () => ({
            columns: [
                { name: "memory" },
                { name: "samples", number: true, text: whole },
                { name: "lowest", number: true, text: bytes },
                { name: "highest", number: true, text: bytes },
                { name: "at the end", number: true, text: bytes },
                { name: "capacity", number: true, text: bytes },
            ],
            rows: curves.map(([n, c]) => [
                memoryName(n),
                c.live.length,
                Math.min(...c.live),
                highest(c),
                c.live[c.live.length - 1],
                capacities[n],
            ]),
        }),
    });
}
