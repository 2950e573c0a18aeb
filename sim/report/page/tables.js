// Tables, plain and sortable, and the tables of costs.

/** columns: [{name, number, text: (value) => string}]; rows: arrays of values. */
function tableOf({ columns, rows, note }) {
    const cells = (row) =>
        row.map((value, i) => {
            const column = columns[i];
            const shown = value instanceof Node ? value : column.text ? column.text(value) : (value ?? "–");
            return element("td", { class: column.number ? "number" : column.class }, shown);
        });
    return element(
        "div",
        { class: "scroll" },
        element(
            "div",
            { class: rows.length > 30 ? "tall" : undefined },
            element(
                "table",
                {},
                element(
                    "thead",
                    {},
                    element(
                        "tr",
                        {},
                        ...columns.map((c) => element("th", { scope: "col", class: c.number ? "number" : undefined }, c.name)),
                    ),
                ),
                element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row)))),
            ),
        ),
        note ? paragraph(note, "soft") : null,
    );
}

/** The same with headings that sort; shows `first` rows until asked for more. */
function sortableTable({ columns, rows, sortedBy, first = 20 }) {
    let by = sortedBy,
        falling = true,
        all = false;
    const body = element("tbody");
    const heads = columns.map((column, i) =>
        element(
            "th",
            { scope: "col", class: column.number ? "number" : undefined },
            element(
                "button",
                {
                    type: "button",
                    title: "Sort",
                    onclick: () => {
                        falling = by === i ? !falling : column.number === true;
                        by = i;
                        show();
                    },
                },
                column.name,
            ),
        ),
    );
    const more = element(
        "button",
        {
            type: "button",
            class: "more",
            onclick: () => {
                all = true;
                show();
            },
        },
        `Show all ${whole(rows.length)} rows`,
    );
    const show = () => {
        const sorted = [...rows].sort((a, b) => {
            const [x, y] = [a[by], b[by]];
            const order =
                typeof x === "number" && typeof y === "number"
                    ? x - y
                    : String(x).localeCompare(String(y), "en", { numeric: true });
            return falling ? -order : order;
        });
        heads.forEach((head, i) =>
            i === by ? head.setAttribute("aria-sort", falling ? "descending" : "ascending") : head.removeAttribute("aria-sort"),
        );
        body.replaceChildren(
            ...sorted
                .slice(0, all ? rows.length : first)
                .map((row) =>
                    element(
                        "tr",
                        {},
                        ...columns.map((column, i) =>
                            element(
                                "td",
                                { class: column.number ? "number" : undefined },
                                column.text ? column.text(row[i]) : row[i],
                            ),
                        ),
                    ),
                ),
        );
        more.hidden = all || rows.length <= first;
    };
    show();
    return element(
        "div",
        {},
        element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body)),
        more,
    );
}

function shareCell(total) {
    return (value) => element("span", {}, percent(total > 0 ? value / total : 0));
}

function layerText(layer) {
    return layer > 0 ? layer : "–";
}

function costSection(run) {
    const made = [];
    const instructions = at(run, "costs", "instructions"),
        commands = at(run, "costs", "commands");
    if (instructions?.rows?.length) {
        const total = sum(instructions.rows.map((r) => r.cycles));
        const waited = instructions.rows.some((r) => isNumber(r.waited));
        made.push(
            element(
                "div",
                { class: "panel" },
                element("h3", {}, "Instructions by cost"),
                paragraph(
                    `Of ${instructions.steps.length === 1 ? "step" : "steps"} ${list(instructions.steps.slice(0, 8).map(String))}${instructions.steps.length > 8 ? " and more" : ""}, which the log holds instruction by instruction, one row per engine, instruction, phase and layer. Instructions of different engines overlap, so their cycles add up to more than the run.` +
                        (instructions.left_out
                            ? ` The ${plural(instructions.left_out, "cheapest row")} ${instructions.left_out === 1 ? "is" : "are"} left out.`
                            : ""),
                ),
                sortableTable({
                    sortedBy: 5,
                    columns: [
                        { name: "engine" },
                        { name: "instruction" },
                        { name: "phase" },
                        { name: "layer", number: true, text: layerText },
                        { name: "count", number: true, text: whole },
                        { name: "cycles", number: true, text: whole },
                        { name: "share", number: true, text: shareCell(total) },
                        { name: "mean", number: true, text: short },
                        { name: "longest", number: true, text: whole },
                        ...(waited ? [{ name: "waited", number: true, text: whole }] : []),
                    ],
                    rows: instructions.rows.map((r) => [
                        engineName(r.engine),
                        r.opcode,
                        phaseName(r.phase),
                        r.layer,
                        r.count,
                        r.cycles,
                        r.cycles,
                        r.cycles / r.count,
                        r.longest,
                        ...(waited ? [r.waited ?? 0] : []),
                    ]),
                }),
            ),
        );
    } else {
        made.push(
            missing(
                run.log_problem
                    ? "What single instructions took is not known: the event log cannot be read."
                    : "The log holds no single instructions of this run: `log.steps` selects the training steps that are logged so.",
            ),
        );
    }
    if (commands?.rows?.length) {
        const total = sum(commands.rows.map((r) => r.cycles));
        made.push(
            element(
                "div",
                { class: "panel" },
                element("h3", {}, "Commands by cost"),
                paragraph(
                    "Of the whole run, from a command's begin on the device to its end, one row per phase and layer. Commands overlap where their wait sets allow it." +
                        (commands.left_out
                            ? ` The ${plural(commands.left_out, "cheapest row")} ${commands.left_out === 1 ? "is" : "are"} left out.`
                            : ""),
                ),
                sortableTable({
                    sortedBy: 3,
                    columns: [
                        { name: "phase" },
                        { name: "layer", number: true, text: layerText },
                        { name: "count", number: true, text: whole },
                        { name: "cycles", number: true, text: whole },
                        { name: "share", number: true, text: shareCell(total) },
                        { name: "mean", number: true, text: short },
                        { name: "longest", number: true, text: whole },
                    ],
                    rows: commands.rows.map((r) => [
                        phaseName(r.phase),
                        r.layer,
                        r.count,
                        r.cycles,
                        r.cycles,
                        r.cycles / r.count,
                        r.longest,
                    ]),
                }),
            ),
        );
    } else {
        made.push(
            missing(
                run.log_problem
                    ? "What commands took is not known: the event log cannot be read."
                    : "The log holds no commands of this run: it was made with `log.events: false`, or it ended before the first command.",
            ),
        );
    }
    return made;
}
