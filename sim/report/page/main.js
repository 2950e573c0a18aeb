// The page, from top to bottom.

function leadText(run) {
    const m = at(run, "summary", "machine"),
        schedule = at(run, "summary", "schedule"),
        status = statusOf(run);
    const machine = isNumber(at(m, "rows")) && isNumber(m.columns)
        ? ` on a ${m.rows} × ${m.columns} array (${/^(tiny|small|large)$/.test(m.preset) ? `preset ${m.preset}` : m.preset}${hertzOf(run) ? `, ${clock(hertzOf(run))}` : ""}${m.array && m.array !== "kernel" ? `, implementation ${m.array}` : ""})`
        : "";
    if (run.summary === null)
        return `This run was stopped before it could write its summary; the page shows what ${run.log_problem ? "it had written of its training steps" : "its event log holds"}.`;
    const what = isTraining(run)
        ? `${run.steps ? plural(run.steps.of, "training step") : "A training run"}${schedule?.name ? ` with schedule ${String(schedule.name).replace("_", " ")}` : ""}`
        : "One matrix product";
    return `${what}${machine}${status === "complete" ? "." : `; the run ended with status ${status.replace("_", " ")}.`}`;
}

function section(id, title, ...content) {
    return [element("h2", { id }, title), ...content.flat(Infinity).filter(Boolean)];
}

function aboutSection(run) {
    const made = [];
    if (typeof run.config === "string")
        made.push(
            element(
                "details",
                {},
                element("summary", {}, "Configuration as it ran"),
                isNumber(run.config_bytes)
                    ? paragraph(`The first ${bytes(run.config.length)} of ${bytes(run.config_bytes)}; all of it is in \`config.resolved.yaml\` beside this page.`)
                    : null,
                element("pre", { tabindex: "0" }, run.config),
            ),
        );
    if (run.summary !== null) {
        const { over_time: _, ...cycles } = run.summary.cycles ?? {};
        made.push(
            element(
                "details",
                {},
                element("summary", {}, "summary.json without what is drawn above"),
                element("pre", { tabindex: "0" }, JSON.stringify({ ...run.summary, cycles }, null, 2)),
            ),
        );
    }
    return made;
}

function header(run) {
    const status = statusOf(run),
        reason = at(run, "summary", "run", "reason");
    return element(
        "header",
        {},
        element("p", { class: "brand" }, "Retrace report"),
        element(
            "div",
            { class: "heading" },
            element("h1", {}, nameOf(run)),
            element("span", { class: `status ${status === "complete" ? "good" : "bad"}` }, status.replace("_", " ")),
        ),
        paragraph(leadText(run), "lead"),
        typeof reason === "string" && reason ? element("p", { class: "reason" }, reason) : null,
        run.log_problem
            ? element("p", { class: "reason" }, `What the event log would tell is missing on this page: ${run.log_problem}`)
            : null,
        element(
            "nav",
            { "aria-label": "Sections" },
            ...[
                [isTraining(run) ? "right" : null, "Training"],
                ["speed", "Engines"],
                ["limits", "Limits"],
                ["fit", "Memory"],
                ["schedule", "Schedule"],
                ["cost", "Cost"],
            ]
                .filter(([id]) => id)
                .map(([id, name]) => element("a", { href: `#${id}` }, name)),
        ),
    );
}

function runPage(run) {
    const parts = (...makers) => makers.map((make) => guarded(() => make(run)));
    return [
        ...parts(header, answers),
        ...section("right", isTraining(run) ? "Training" : "Result", parts(rightSection)),
        ...section("speed", "What the engines did", parts(enginesFigure, enginesPanel)),
        ...section("limits", "What limited it", parts(rankingPanel, phasesFigure, reasonsOverTimeFigure)),
        ...section("fit", "Did it fit?", parts(peaksPanel, liveBytesFigure, occupancyFigure)),
        ...section("schedule", "When did what run?", parts(scheduleFigure)),
        ...section("cost", "What took how long", parts(costSection)),
        ...section("about", "About this run", parts(aboutSection)),
    ];
}

function footer() {
    const licences = document.getElementById("licences").textContent.trim();
    return element(
        "footer",
        {},
        hasCharts
            ? paragraph(
                  "Made by Retrace from the files of the run. Charts: Apache ECharts, Apache-2.0; this file needs no network.",
              )
            : paragraph(
                  "Made by Retrace from the files of the run. This program was built without npm, which its charts need when it is built; every number is in the tables.",
              ),
        licences
            ? element(
                  "details",
                  {},
                  element("summary", {}, "Licences of the chart library"),
                  element("pre", { tabindex: "0" }, licences),
              )
            : null,
    );
}

function start() {
    const main = document.getElementById("report"),
        data = JSON.parse(document.getElementById("data").textContent);
    main.replaceChildren(...[guarded(() => (data.kind === "compare" ? comparePage(data) : runPage(data.runs[0])))].flat(), footer());
    startCharts();
    // Bars that are no charts take their colours when they are made.
    dark.addEventListener("change", () =>
        document.querySelectorAll("[data-reason]").forEach((bar) => {
            bar.style.background = reasonColor(bar.dataset.reason);
        }),
    );
    dark.addEventListener("change", () =>
        document.querySelectorAll("[data-run]").forEach((chip) => {
            chip.style.background = shade(runColors[chip.dataset.run]);
        }),
    );
}

globalThis.retraceCharts = () => charts.map(({ id, plot, chart }) => ({ id, plot, chart })); // for the page's tests
start();
