// Training curves and the claims that were proved.

/** Two panels over the training steps. curves: [{name, color, steps}] with steps as report_data gives them. */
function trainingFigure(runs) {
    const shown = runs.filter((r) => r.steps);
    const text = () => {
        const told = shown.map(({ name, steps }) => {
            const losses = steps.loss.filter(isNumber),
                last = steps.accuracy[steps.accuracy.length - 1];
            const range = losses.length
                ? `the loss went from ${losses[0].toFixed(4)} to ${losses[losses.length - 1].toFixed(4)}`
                : "the loss was never a number";
            return `${shown.length > 1 ? `${name}: ` : ""}${range} and the accuracy of the last batch is ${percent(last)}, after ${plural(steps.of, "step")}${steps.epoch[steps.epoch.length - 1] > 1 ? ` (${plural(steps.epoch[steps.epoch.length - 1], "epoch")})` : ""}.`;
        });
        const fewer = shown.filter((r) => r.steps.step.length < r.steps.of);
        return (
            told.map((t) => (shown.length > 1 ? t : capital(t))).join(" ") +
            (fewer.length
                ? ` Drawn are ${whole(fewer[0].steps.step.length)} of ${whole(fewer[0].steps.of)} steps: of every stretch the lowest and the highest loss.`
                : "")
        );
    };
    return figure({
        id: "chart-training",
        title: "Loss and accuracy of every training step",
        summary: text,
        legend:
            shown.length > 1
                ? shown.map((r) => ({ name: r.name, color: r.color }))
                : [
                      { name: "loss", color: () => reasonColor("compute"), fixed: true },
                      { name: "accuracy of the batch", color: () => reasonColor("activation"), fixed: true },
                  ],
        draw: (width, hidden) => {
            const narrow = width < 520,
                left = 52,
                right = 16;
            const color = (run, i) => (shown.length > 1 ? run.color() : reasonColor(["compute", "activation"][i]));
            const axis = axisLook();
            const last = Math.max(...shown.map((r) => r.steps.step[r.steps.step.length - 1]), 2);
            const line = (run, i, data) => ({
                name: run.name,
                type: "line",
                xAxisIndex: i,
                yAxisIndex: i,
                data,
                symbol: data.length < 40 ? "circle" : "none",
                symbolSize: 5,
                lineStyle: { width: 2, color: color(run, i), type: run.dashed ? "dashed" : "solid" },
                itemStyle: { color: color(run, i) },
            });
            const visible = shown.filter((r) => !hidden.has(r.name));
            return {
                height: narrow ? 348 : 388,
                option: {
                    grid: [
                        grid({ left, right, top: 26, height: narrow ? 150 : 180 }),
                        grid({ left, right, top: narrow ? 214 : 244, height: narrow ? 84 : 96 }),
                    ],
                    xAxis: [0, 1].map((i) => ({
                        type: "value",
                        gridIndex: i,
                        min: 1,
                        max: last,
                        ...axis,
                        splitLine: { show: false },
                        minInterval: 1,
                        axisLabel: { ...axis.axisLabel, show: i === 1 },
                        name: i === 1 ? "training step" : "",
                        nameLocation: "middle",
                        nameGap: 28,
                    })),
                    yAxis: [
                        {
                            type: "value",
                            gridIndex: 0,
                            min: 0,
                            ...axis,
                            name: "loss (mean of the batch)",
                            nameTextStyle: { ...axis.nameTextStyle, align: "left", padding: [0, 0, 0, -left + 8] },
                            splitNumber: 4,
                        },
                        {
                            ...shareAxis(),
                            gridIndex: 1,
                            name: "accuracy (share of the batch)",
                            nameTextStyle: { ...axis.nameTextStyle, align: "left", padding: [0, 0, 0, -left + 8] },
                            interval: 0.5,
                        },
                    ],
                    axisPointer: { link: [{ xAxisIndex: "all" }] },
                    tooltip: tooltip({
                        trigger: "axis",
                        formatter: (points) => {
                            const step = points[0].data[0];
                            return tip(
                                `Step ${step}`,
                                visible.flatMap((run) => {
                                    const i = run.steps.step.indexOf(step);
                                    if (i < 0) return [];
                                    const name = shown.length > 1 ? `${run.name}: ` : "";
                                    return [
                                        [
                                            color(run, 0),
                                            `${name}loss`,
                                            isNumber(run.steps.loss[i]) ? run.steps.loss[i].toFixed(4) : "not a number",
                                        ],
                                        [color(run, 1), `${name}accuracy`, percent(run.steps.accuracy[i])],
                                        ["", `${name}cycle`, whole(run.steps.cycles[i])],
                                    ];
                                }),
                            );
                        },
                    }),
                    series: visible.flatMap((run) => [
                        line(
                            run,
                            0,
                            run.steps.step.map((s, i) => [s, run.steps.loss[i]]),
                        ),
                        line(
                            run,
                            1,
                            run.steps.step.map((s, i) => [s, run.steps.accuracy[i]]),
                        ),
                    ]),
                },
            };
        },
        table: () => ({
            columns: [
                ...(shown.length > 1 ? [{ name: "run" }] : []),
                { name: "step", number: true, text: whole },
                { name: "epoch", number: true, text: whole },
                { name: "loss", number: true, text: (v) => (isNumber(v) ? v.toFixed(4) : "not a number") },
                { name: "accuracy", number: true, text: percent },
                { name: "cycle", number: true, text: whole },
            ],
            rows: shown.flatMap(({ name, steps }) =>
                steps.step.map((s, i) => [
                    ...(shown.length > 1 ? [name] : []),
                    s,
                    steps.epoch[i],
                    steps.loss[i],
                    steps.accuracy[i],
                    steps.cycles[i],
                ]),
            ),
        }),
    });
}

function proofPanel(run) {
    const results = at(run, "proof", "results");
    if (!Array.isArray(results) || results.length === 0) return null;
    const failed = results.filter((r) => r.outcome !== "holds" && r.outcome !== "does not apply").length;
    const rows = results.map((r) => [
        element(
            "span",
            { class: r.outcome === "holds" ? "good" : r.outcome === "does not apply" ? "soft" : "bad" },
            String(r.outcome),
        ),
        element("span", {}, String(r.claim), ...(r.examples ?? []).map((e) => element("div", { class: "bad" }, String(e)))),
        r.looked_at ?? 0,
    ]);
    return element(
        "div",
        { class: "panel" },
        element("h3", {}, "What was proved from the event log"),
        paragraph(
            failed ? `${plural(failed, "claim")} of ${results.length} FAIL.` : "Every claim that applies to this schedule holds.",
        ),
        element(
            "details",
            failed ? { open: true } : {},
            element("summary", {}, plural(results.length, "claim")),
            tableOf({
                columns: [
                    { name: "outcome" },
                    { name: "claim", class: "claim" },
                    { name: "looked at", number: true, text: whole },
                ],
                rows,
            }),
        ),
    );
}

function rightSection(run) {
    const made = [];
    if (run.steps) made.push(guarded(() => trainingFigure([{ name: "run", steps: run.steps }])));
    else if (isTraining(run))
        made.push(
            missing(
                "There are no losses by step: the run ended before its first step did, or it was made before steps.csv was written.",
            ),
        );
    made.push(guarded(() => proofPanel(run)));
    const result = at(run, "summary", "result") ?? {};
    const digest = result.weights_sha256 ?? result.checksum;
    if (typeof digest === "string")
        made.push(
            element(
                "p",
                { class: "soft" },
                result.weights_sha256 ? "SHA-256 of the trained weights: " : "SHA-256 of the product: ",
                element("code", {}, digest),
            ),
        );
    return made;
}
