// What a person asks first: was it right, how fast was it, what limited it, did it fit.

function numberOr0(value) {
    return isNumber(value) ? value : 0;
}
function hertzOf(run) {
    return numberOr0(at(run, "summary", "machine", "clock_hz"));
}
function totalOf(run) {
    return numberOr0(at(run, "summary", "cycles", "total"));
}
function isTraining(run) {
    return at(run, "summary", "run", "command") === "train" || run.steps !== null || at(run, "summary", "schedule") !== undefined;
}
function statusOf(run) {
    return run.summary === null ? "cut short" : String(at(run, "summary", "run", "status") ?? "unknown");
}
/** Why something is missing that only the summary tells. `key`: where it stands there. */
function withoutSummary(run, key) {
    return run.summary === null ? "the run was stopped before it wrote its summary, which tells it" : `its summary has no \`${key}\``;
}
/** Why there are no commands. */
function noCommands(run) {
    return run.log_problem ? "the event log cannot be read" : "the log holds no commands";
}
function nameOf(run) {
    return String(at(run, "summary", "run", "name") ?? run.folder);
}

function answer(question, figure, className, what, facts) {
    return element(
        "section",
        { class: "answer" },
        element("h2", {}, question),
        element("p", { class: `figure ${className ?? ""}` }, figure),
        element("p", { class: "what" }, what),
        element(
            "ul",
            {},
            ...facts.filter(Boolean).map((fact) => element("li", { class: fact.className }, ...sentence(fact.text ?? fact))),
        ),
    );
}

function proofFact(run) {
    const results = at(run, "proof", "results");
    if (!Array.isArray(results))
        return isTraining(run) ? "Not proved yet: `retrace prove` on this folder adds the claims." : null;
    const applied = results.filter((r) => r.outcome !== "does not apply");
    const held = applied.filter((r) => r.outcome === "holds").length;
    return held === applied.length
        ? { text: `All ${held} claims about its schedule are proved from the log.`, className: "good" }
        : { text: `${applied.length - held} of ${applied.length} claims about its schedule FAIL.`, className: "bad" };
}

function rightAnswer(run) {
    const result = at(run, "summary", "result") ?? {},
        s = run.schedule;
    const status = statusOf(run);
    const facts = [];
    const losses = (run.steps?.loss ?? []).filter(isNumber);
    if (losses.length > 0)
        facts.push(
            losses.length > 1
                ? `Loss ${losses[0].toFixed(3)} → ${losses[losses.length - 1].toFixed(3)} in ${plural(run.steps.of, "step")}.`
                : `Loss ${losses[0].toFixed(3)} after one step.`,
        );
    if (run.steps && run.steps.loss.some((l) => !isNumber(l)))
        facts.push({ text: "The loss was not a number in some steps.", className: "bad" });
    if (s) {
        facts.push(
            s.failed
                ? { text: `${plural(s.failed, "command")} of ${whole(s.commands)} failed.`, className: "bad" }
                : s.unfinished
                  ? { text: `${plural(s.unfinished, "command")} of ${whole(s.commands)} never ended.`, className: "bad" }
                  : `All ${whole(s.commands)} commands ended without a fault.`,
        );
        facts.push(
            s.stale_reads
                ? { text: `${plural(s.stale_reads, "read")} met bytes that were gone or another tensor's.`, className: "bad" }
                : "No read of bytes that were gone.",
        );
    }
    facts.push(proofFact(run));
    if (status !== "complete")
        return answer(
            "Was it right?",
            status === "cut short" ? "unknown" : status.replace("_", " "),
            "bad",
            "the run did not end as it should",
            facts,
        );
    if (isNumber(result.test_accuracy))
        return answer("Was it right?", percent(result.test_accuracy), "", "of the held-out rows classified rightly", facts);
    if (typeof result.verified === "boolean")
        return answer(
            "Was it right?",
            result.verified ? "equal" : "not equal",
            result.verified ? "good" : "bad",
            "to a scalar reference, bit for bit",
            facts,
        );
    if (isNumber(result.loss)) return answer("Was it right?", result.loss.toFixed(4), "", "loss of the last step", facts);
    return answer("Was it right?", "–", "", "the run has no result to judge", facts);
}

function fastAnswer(run) {
    const total = totalOf(run),
        hertz = hertzOf(run),
        utilisation = at(run, "summary", "work", "utilisation"),
        macs = at(run, "summary", "work", "macs");
    if (run.summary === null || total === 0)
        return answer("How fast?", "unknown", "", "the run ended before its cycles were counted", []);
    const steps = run.steps;
    const facts = [`${whole(total)} cycles${hertz ? ` at ${clock(hertz)}` : ""}.`];
    if (isNumber(utilisation)) facts.push(`${percent(utilisation)} of the array's peak.`);
    if (isNumber(macs))
        facts.push(`${count(macs)} multiply-adds${hertz && total ? `, ${count(macs / (total / hertz))} per second` : ""}.`);
    if (steps && steps.of > 1) {
        const each =
            (steps.cycles[steps.cycles.length - 1] - steps.cycles[0]) / (steps.step[steps.step.length - 1] - steps.step[0]);
        facts.push(`${count(each)} cycles a training step${hertz ? `, ${count(hertz / each)} steps per second` : ""}.`);
    }
    return hertz
        ? answer("How fast?", seconds(total / hertz), "", "simulated time", facts)
        : answer("How fast?", count(total), "", "cycles", facts);
}

/** [{key, cycles, share, name, says}] by falling cycles, those that are not 0. */
function rankedReasons(stalls, total) {
    return Object.entries(stalls ?? {})
        .filter(([, cycles]) => isNumber(cycles) && cycles > 0)
        .map(([key, cycles]) => ({
            key,
            cycles,
            share: total > 0 ? cycles / total : 0,
            name: reasonName(key),
            says: reasons[key]?.says ?? `it was ${key}`,
        }))
        .sort((a, b) => b.cycles - a.cycles);
}

function limitAnswer(run) {
    const total = totalOf(run),
        ranked = rankedReasons(at(run, "summary", "cycles", "stalls"), total);
    if (ranked.length === 0) return answer("What limited it?", "unknown", "", withoutSummary(run, "cycles.stalls"), []);
    const compute = ranked.find((r) => r.key === "compute")?.share ?? 0,
        others = ranked.filter((r) => r.key !== "compute");
    return answer(
        "What limited it?",
        percent(Math.max(0, 1 - compute)),
        "",
        "of the cycles the array did not compute",
        others
            .slice(0, 4)
            .map((r) => `${percent(r.share)}: ${r.says}.`)
            .concat(
                others.length > 4
                    ? [`${percent(sum(others.slice(4).map((r) => r.share)))}: ${plural(others.length - 4, "smaller reason")}.`]
                    : [],
            ),
    );
}

/** [{name, capacity, peak, planned, share}] in the summary's order. */
function memoriesOf(run) {
    return Object.entries(at(run, "summary", "memory") ?? {}).map(([name, m]) => ({
        name,
        title: memoryName(name),
        capacity: numberOr0(m?.capacity_bytes),
        peak: numberOr0(m?.peak_bytes),
        planned: numberOr0(m?.planned_peak_bytes),
        share: numberOr0(m?.capacity_bytes) > 0 ? numberOr0(m.peak_bytes) / m.capacity_bytes : 0,
    }));
}

/** {name: capacity in bytes}, of a run without a summary from its log. */
function capacitiesOf(run) {
    const told = Object.fromEntries(memoriesOf(run).map((m) => [m.name, m.capacity]));
    return run.summary === null ? (at(run, "memory", "capacities") ?? {}) : told;
}

function fitAnswer(run) {
    const memories = memoriesOf(run);
    if (memories.length === 0) return answer("Did it fit?", "unknown", "", withoutSummary(run, "memory"), []);
    const fullest = memories.reduce((a, b) => (b.share > a.share ? b : a));
    const planned = memories.some((m) => m.planned > 0);
    const wrong = memories.filter((m) => m.planned !== m.peak);
    // Of memories that are equally full, the one that the schedule is about.
    const shown = memories.find((m) => m.name === "activations" && m.share >= fullest.share) ?? fullest;
    const facts = [`${bytes(shown.peak)} live at the peak, of ${bytes(shown.capacity)}.`];
    facts.push(
        ...memories
            .filter((m) => m !== shown)
            .sort((a, b) => b.share - a.share)
            .slice(0, 2)
            .map((m) => `${capital(m.title)}: ${percent(m.share)} of ${bytes(m.capacity)}.`),
    );
    if (!planned)
        facts.push(statusOf(run) === "complete" ? "The run has no plan to compare with." : "It ended before its peaks could be held against the plan.");
    else if (wrong.length === 0) facts.push({ text: "Every peak is what the plan says, to the byte.", className: "good" });
    else facts.push({ text: `Not as planned: ${list(wrong.map((m) => m.title))}.`, className: "bad" });
    const again = recomputeText(run);
    if (again) facts.push(again);
    return answer("Did it fit?", percent(shown.share), "", `of ${shown.title}, the fullest memory`, facts);
}

function recomputeText(run) {
    const step = (run.schedule?.steps ?? []).find((s) => s.kind === "training");
    if (!step) return null;
    const recompute = run.schedule.phases.indexOf("recompute");
    const again = step.phase.filter((p) => p === recompute).length;
    return again > 0 ? `${plural(again, "layer output")} a step computed again instead of kept.` : "Every layer output was kept.";
}

function answers(run) {
    return element("div", { class: "answers" }, ...[rightAnswer, fastAnswer, limitAnswer, fitAnswer].map((make) => guarded(() => make(run))));
}
