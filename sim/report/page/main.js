// The page, from top to bottom.

function leadText(run) {
    const m = at(run, "summary", "machine"),
        schedule = at(run, "summary", "schedule"),
        status = statusOf(run);
    const machine = m
        ? ` on a ${m.rows} × ${m.columns} array (${/^(tiny|small|large)$/.test(m.preset) ? `preset ${m.preset}` : m.preset}${m.clock_hz ? `, ${clock(m.clock_hz)}` : ""}${m.array && m.array !== "kernel" ? `, implementation ${m.array}` : ""})`
        : "";
    if (run.summary === null)
        return "This run was stopped before it could write its summary; the page shows what its event log holds.";
    const what = isTraining(run)
        ? `${run.steps ? plural(run.steps.of, "training step") : "A training run"}${schedule?.name ? ` with schedule ${String(schedule.name).replace("_", " ")}` : ""}`
        : "One matrix product";
    return `${what}${machine}${status === "complete" ? "." : `; the run ended with status ${status.replace("_", " ")}.`}`;
}

function section(id, title, ...content) {
    return [element("h2", { id }, title), ...content.flat().filter(Boolean)];
}

function aboutSection(run) {
    const made = [];
    if (typeof run.config === "string")
        made.push(
            element(
                "details",
                {},
                element("summary", {}, "Configuration as it ran"),
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

function runPage(run) {
    const status = statusOf(run),
        reason = at(run, "summary", "run", "reason");
    const training = isTraining(run);
    return [
        element(
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
            element(
                "nav",
                { "aria-label": "Sections" },
                ...[
                    [training ? "right" : null, "Training"],
                    ["speed", "Engines"],
                    ["limits", "Limits"],
                    ["fit", "Memory"],
                    ["schedule", "Schedule"],
                    ["cost", "Cost"],
                ]
                    .filter(([id]) => id)
                    .map(([id, name]) => element("a", { href: `#${id}` }, name)),
            ),
        ),
        answers(run),
        ...section("right", training ? "Training" : "Result", rightSection(run)),
        ...section("speed", "What the engines did", enginesFigure(run), enginesPanel(run)),
        ...section("limits", "What limited it", rankingPanel(run), phasesFigure(run), reasonsOverTimeFigure(run)),
        ...section("fit", "Did it fit?", peaksPanel(run), liveBytesFigure(run), occupancyFigure(run)),
        ...section("schedule", "When did what run?", scheduleFigure(run)),
        ...section("cost", "What took how long", costSection(run)),
        ...section("about", "About this run", aboutSection(run)),
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
    main.replaceChildren(...(data.kind === "compare" ? comparePage(data) : runPage(data.runs[0])), footer());
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
