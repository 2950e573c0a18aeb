"""Opens real reports in headless Chromium: page_test.py RETRACE SOURCE_FOLDER WORK_FOLDER

A small training run with recompute, its twin with the whole account of cycles, a product, a run stopped by the watchdog, a run killed
outright, one with a hostile name, one whose files hold what no run writes, one with a step of thousands of commands, and a comparison; most in light and dark, at the width of a laptop and of a phone. A page fails on a console
error or warning, an uncaught exception, a request, a chart that shows nothing, or text that leaves its place. Exit 77: no Chromium here.
With RETRACE_SCREENSHOTS=FOLDER the pages' pictures stay there.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.parse

sys.dont_write_bytecode = True
import account_sample
import chromium

ONE_VIEW = [("light", 1366, 900)]
TWO_VIEWS = [("light", 1366, 900), ("dark", 390, 844)]
VIEWS = [(scheme, width, height) for width, height in ((1366, 900), (390, 844)) for scheme in ("light", "dark")]

# Waits for the charts, then says what is wrong with the page, as sentences.
CHECK = r"""
(async () => {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const wrong = [], wide = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > wide) wrong.push(`the page is ${document.documentElement.scrollWidth} wide, the window ${wide}`);
    if (matchMedia("(prefers-color-scheme: dark)").matches !== SCHEME_IS_DARK) wrong.push("the wrong colour scheme");
    const luminance = (color) => { const [r, g, b] = color.match(/[\d.]+/g).map(Number); return (r + g + b) / 3; };
    if ((luminance(getComputedStyle(document.body).backgroundColor) < 128) !== SCHEME_IS_DARK) wrong.push("the page's ground is of the other scheme");

    const charts = globalThis.retraceCharts(), first = {};
    for (const { id, plot, chart } of charts) {
        if (!chart) { wrong.push(`${id}: was never drawn`); continue; }
        const svg = plot.querySelector("svg"), box = svg?.getBoundingClientRect();
        if (!svg || box.width < 200 || box.height < 60) { wrong.push(`${id}: has no size`); continue; }
        const series = chart.getOption().series ?? [];
        const filled = series.filter((s) => (s.data ?? []).length > 0);
        if (filled.length === 0) wrong.push(`${id}: has no series with data`);
        // Shapes in the colours of the series, not only axes.
        const shapes = [...svg.querySelectorAll("path, rect, polyline, polygon")].filter((shape) => {
            const b = shape.getBBox(), style = getComputedStyle(shape);
            const painted = (paint) => paint && paint !== "none" && paint !== "transparent";
            return (painted(style.fill) || painted(style.stroke)) && (b.width > 1 || b.height > 1);
        });
        const colors = new Set(series.map((s) => s.itemStyle?.color ?? s.areaStyle?.color).filter(Boolean));
        const custom = series.some((s) => s.type === "custom");
        const colored = shapes.filter((shape) => colors.has(shape.getAttribute("fill")) || colors.has(shape.getAttribute("stroke")));
        if (custom ? shapes.length < 3 : colored.length === 0) wrong.push(`${id}: nothing of its data is painted (${shapes.length} shapes)`);
        const texts = [...svg.querySelectorAll("text")].filter((t) => t.textContent.trim());
        if (texts.length < 2) wrong.push(`${id}: its axes have no text`);
        for (const text of texts) {
            const b = text.getBoundingClientRect();
            if (b.left < box.left - 1.5 || b.right > box.right + 1.5 || b.top < box.top - 1.5 || b.bottom > box.bottom + 1.5)
                wrong.push(`${id}: the text "${text.textContent}" leaves the chart (${Math.round(b.left - box.left)} to ${Math.round(b.right - box.left)} of ${Math.round(box.width)})`);
        }
        for (let i = 0; i < texts.length; ++i)
            for (let k = i + 1; k < texts.length; ++k) {
                const a = texts[i].getBoundingClientRect(), b = texts[k].getBoundingClientRect();
                const x = Math.min(a.right, b.right) - Math.max(a.left, b.left), y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (x > 2 && y > 5) wrong.push(`${id}: the texts "${texts[i].textContent}" and "${texts[k].textContent}" lie on each other`);
            }
        const figure = plot.closest("figure");
        if (!figure.querySelector("h3").textContent || figure.querySelector("figcaption p").textContent.length < 20) wrong.push(`${id}: has no title or no summary`);
        if (!plot.getAttribute("aria-label")) wrong.push(`${id}: has no text for those who cannot see it`);
        const numbers = figure.querySelector("details");
        numbers.open = true;
        await new Promise((resolve) => setTimeout(resolve));
        first[id] = numbers.querySelector("tbody tr td")?.textContent;
        if (numbers.querySelectorAll("tbody tr").length === 0) wrong.push(`${id}: its table of numbers is empty`);
        numbers.open = false;
        if (!chart.getOption().tooltip?.[0]) wrong.push(`${id}: has no tooltip`);
    }
    const inScroll = (node) => { for (let n = node.parentElement; n; n = n.parentElement) if (n.matches(".scroll, pre, svg, .tall")) return true; return false; };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode, parent = node.parentElement;
        if (!node.textContent.trim() || parent.matches("script, style, option, noscript") || inScroll(node)) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const b of range.getClientRects()) if (b.width > 0 && (b.left < -1 || b.right > wide + 1)) { wrong.push(`the text "${node.textContent.slice(0, 60)}" leaves the window`); break; }
    }
    for (const card of document.querySelectorAll(".answer, figure, .panel"))
        if (card.scrollWidth > card.clientWidth + 1) wrong.push(`what is in "${card.querySelector("h2, h3")?.textContent}" is wider than its frame`);
    if (/undefined|NaN|\[object|Infinity/.test(document.getElementById("report").innerText)) wrong.push("the page says " + /.{0,40}(undefined|NaN|\[object|Infinity).{0,20}/.exec(document.getElementById("report").innerText)[0]);
    const licences = document.querySelector("footer details pre")?.textContent ?? "";
    if (!licences.includes('"License"') || /&(quot|amp|lt|gt|#39);/.test(licences)) wrong.push("the licences are not their text");
    return { wrong, first, charts: charts.map((c) => c.id), text: document.getElementById("report").innerText, missing: document.querySelectorAll(".missing").length };
})()
"""

# Changes selects and legends, and sorts tables: what breaks then shows among the complaints.
POKE = r"""
(async () => {
    const settle = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    for (const box of document.querySelectorAll("select"))
        for (const option of [...box.options].slice(0, 8)) {
            box.value = option.value;
            box.dispatchEvent(new Event("change"));
            await settle();
        }
    for (const key of [...document.querySelectorAll(".legend button:not([disabled])")].slice(0, 12)) { if (key.isConnected) key.click(); await settle(); }
    let sorted = 0;
    for (const head of document.querySelectorAll("th button")) {
        const table = head.closest("table"), before = table.querySelector("tbody").textContent;
        head.click();
        head.click();
        sorted += head.parentElement.getAttribute("aria-sort") ? 1 : 0;
    }
    return sorted;
})()
"""


# Brings a chart to the middle of the window and says where its data is: [x, y, width, height].
PLACE = """
(() => {
    const { plot, chart } = globalThis.retraceCharts()[INDEX];
    plot.scrollIntoView({ block: "center", behavior: "instant" });
    const box = plot.getBoundingClientRect(), data = chart.getModel().getSeriesByIndex(0).coordinateSystem.getArea();
    return [box.x + data.x, box.y + data.y, data.width, data.height];
})()
"""


def point_at_charts(tab, count):
    """Ids of charts that show no tooltip wherever the pointer goes."""
    silent = []
    for index in range(count):
        x, y, width, height = tab.evaluate(PLACE.replace("INDEX", str(index)))
        # Some charts answer anywhere, the schedule only on a bar: so along both diagonals.
        for step in range(1, 60):
            part = step / 60
            for down in (part, 1 - part):
                tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + width * part, y=y + height * down)
            if step % 6 == 0 and tab.evaluate("globalThis.retraceCharts()[%d].plot.querySelector('.tip')?.textContent.length > 5" % index):
                break
        else:
            silent.append(tab.evaluate("globalThis.retraceCharts()[%d].id" % index))
    return silent


# Faults put into a good page: {name: (script in front of the page's own, what must be found)}.
FAULTS = {
    "a console error": ("console.error('a complaint')", "a complaint"),
    "an uncaught exception": ("setTimeout(() => { throw new Error('lost'); })", "lost"),
    "a request": ("fetch('http://127.0.0.1:9/').catch(() => {})", "127.0.0.1"),
    "empty charts": ("""const { init } = echarts;
        globalThis.echarts = { ...echarts, init: (...given) => {
            const chart = init(...given), set = chart.setOption.bind(chart);
            chart.setOption = (option, how) => set({ ...option, series: option.series.map((s) => ({ ...s, data: [] })) }, how);
            return chart;
        } };""", "no series with data"),
    "charts without paint": ("""const { init } = echarts;
        globalThis.echarts = { ...echarts, init: (...given) => {
            const chart = init(...given), set = chart.setOption.bind(chart);
            chart.setOption = (option, how) => set({ ...option, series: option.series.map((s) => ({ ...s, data: s.data.map(() => [-9e9, -9e9]) })) }, how);
            return chart;
        } };""", "nothing of its data is painted"),
    "a wide page": ("addEventListener('load', () => { const e = document.createElement('div'); e.style.width = '700px'; e.textContent = 'x'; document.body.append(e); })", "wide, the window 390"),
    "text out of its frame": ("addEventListener('load', () => { const e = document.createElement('p'); e.style.marginLeft = '-90px'; e.textContent = 'lost words'; "
                              "document.querySelector('.panel').append(e); })", "leaves the window"),
    "colours that do not follow": ("addEventListener('load', () => { document.body.style.background = '#fff'; })", "the page's ground"),
}


def checker_finds_faults(browser, page, work):
    """Sentences about faults that were put into a page and not found."""
    with open(page, encoding="utf-8") as file:
        text = file.read()
    own = text.rindex("<script>")
    missed = []
    for name, (script, expected) in FAULTS.items():
        faulty = os.path.join(work, "faulty.html")
        with open(faulty, "w", encoding="utf-8") as file:
            file.write(text[:own] + "<script>" + script + "</script>" + text[own:])
        found = check(browser, "faulty", faulty, [], [], ("dark", 390, 844), None)
        if not any(expected in f for f in found):
            missed.append("the checker did not find %s: it said %s" % (name, found[:3]))
    return missed


class Failure(Exception):
    pass


def run(program, arguments, expected=0):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != expected:
        raise Failure("%s ended with %d, not %d:\n%s" % (" ".join(arguments), done.returncode, expected, done.stderr[-2000:]))
    return done


def make_runs(program, source, work):
    """{name: (page, charts it must have, texts it must show, views)}"""
    digits = os.path.join(source, "examples", "digits", "recompute.yaml")

    def folder(name):
        return os.path.join(work, name)

    def train(name, *more, expected=0, steps=3):
        run(program, ["train", digits, "--quiet", "--set", "training.epochs=null", "--set", "training.steps=%d" % steps, "--set", "data.test_rows=100",
                      "--out", folder(name), *more], expected)

    def edit(name, change):
        file = os.path.join(folder(name), "summary.json")
        with open(file) as f:
            summary = json.load(f)
        change(summary)
        with open(file, "w") as f:
            json.dump(summary, f)
        run(program, ["report", folder(name)])

    def page(name):
        return os.path.join(folder(name), "report.html")

    pages = {}
    common = ["chart-training", "chart-live-bytes", "chart-occupancy", "chart-schedule"]
    account = ["chart-engines", "chart-phases", "chart-reasons-time"]
    train("training")
    run(program, ["prove", folder("training")])
    pages["training"] = (page("training"), common, ["complete", "of the held-out rows", "are proved from the log", "36 layer outputs a step computed again",
                                                    "Every peak is what the plan says"])
    shutil.copytree(folder("training"), folder("account"))
    edit("account", account_sample.add_account)
    pages["account"] = (page("account"), common + account, ["Recompute takes most", "waited most for", "from cycle 41,385 on"])

    shutil.copytree(folder("training"), folder("bare"))

    def strip(summary):
        for key in ("by_phase", "engines", "over_time"):
            summary["cycles"].pop(key, None)
    os.remove(os.path.join(folder("bare"), "events.sqlite"))
    os.remove(os.path.join(folder("bare"), "steps.csv"))
    edit("bare", strip)
    pages["bare"] = (page("bare"), [], ["its summary has no cycles.over_time", "the log holds no commands", "There are no losses by step"], TWO_VIEWS)

    run(program, ["gemm", "--m", "96", "--k", "64", "--n", "40", "--preset", "tiny", "--quiet", "--out", folder("gemm")])
    pages["gemm"] = (page("gemm"), ["chart-schedule", "chart-occupancy"], ["equal", "C[96,40] = A[96,64] B[64,40]"], TWO_VIEWS)

    train("hang", "--set", "npu.watchdog_cycles=1000", expected=3)
    pages["hang"] = (page("hang"), [], ["hang", "no engine has finished an instruction"], TWO_VIEWS)

    shutil.copytree(folder("training"), folder("killed"))
    os.remove(os.path.join(folder("killed"), "summary.json"))
    run(program, ["report", folder("killed")])
    pages["killed"] = (page("killed"), common, ["cut short", "stopped before it could write its summary", "the run was stopped before it wrote its summary, which tells it"],
                       TWO_VIEWS)

    # The same, and of the log nothing was left either.
    shutil.copytree(folder("killed"), folder("early"))
    with open(os.path.join(folder("early"), "events.sqlite"), "wb"):
        pass
    run(program, ["report", folder("early")])
    pages["early"] = (page("early"), ["chart-training"], ["it is empty: the run was stopped before", "what it had written of its training steps", "the event log cannot be read"],
                      ONE_VIEW)

    shutil.copytree(folder("account"), folder("odd"))

    def make_odd(summary):
        summary["run"]["status"] = 7
        summary["run"]["name"] = [1]
        summary["cycles"]["by_phase"] = {"forward": {"total": "many", "stalls": 3}, "backward": None}
        summary["cycles"]["stalls"] = {"constructor": 5, "compute": 10, "dram": "x"}
        summary["cycles"]["engines"] = {"pe": 5, "dma0": None}
        summary["cycles"]["over_time"] = {"interval": 10, "first": "x", "engines": {"pe": ["a"]}, "stalls": {"constructor": [3, 4]}}
        summary["memory"] = {"a": None, "b": 3, "device_dram": {"capacity_bytes": "x"}}
        summary["machine"] = 3
        summary["result"] = [1]
    with open(os.path.join(folder("odd"), "proof.json"), "w") as file:
        json.dump({"results": [None, 5]}, file)
    edit("odd", make_odd)
    pages["odd"] = (page("odd"), ["chart-training", "chart-schedule"], ["This part cannot be shown", "ended with status 7"], ONE_VIEW)

    # A step of more commands than are drawn one by one, far apart in their lanes: all of its time has to be in the picture.
    with open(page("account"), encoding="utf-8") as file:
        before, _, rest = file.read().partition('id="data">')
    text, _, after = rest.partition("</script>")
    data = json.loads(text)
    schedule = data["runs"][0]["schedule"]
    step = next(s for s in schedule["steps"] if s["kind"] == "training" and s["step"] == 2)
    count = 12000
    step.update(commands=count, begun=[100 * i for i in range(count)], duration=[90] * count, phase=[schedule["phases"].index("forward")] * count,
                layer=[1 + i % 100 for i in range(count)], sequence=list(range(count)), last=step["first"] + 100 * count)
    os.mkdir(folder("long"))
    with open(page("long"), "w", encoding="utf-8") as file:
        file.write(before + 'id="data">' + json.dumps(data).replace("<", "\\u003c") + "</script>" + after)
    pages["long"] = (page("long"), ["chart-schedule"], ["apart are drawn as one"], ONE_VIEW)

    hostile = "</script><script>window.broken = 1; console.error('broken out')</script><img src=x onerror=console.error(1)>{{data}} \u2028 & \" '"
    shutil.copytree(folder("account"), folder("hostile"))

    def rename(summary):
        summary["run"]["name"] = hostile
        summary["run"]["status"] = "failed"
        summary["run"]["reason"] = hostile
        summary["cycles"]["engines"][hostile] = summary["cycles"]["engines"].pop("vector")
        summary["cycles"]["over_time"]["engines"]["dma" + hostile[:20]] = summary["cycles"]["over_time"]["engines"].pop("vector")
        summary["memory"][hostile] = {"capacity_bytes": 10, "peak_bytes": 5, "planned_peak_bytes": 5}
    edit("hostile", rename)
    pages["hostile"] = (page("hostile"), common, ["</script><script>window.broken"])

    train("store", "--set", "training.schedule=store_all", "--set", "npu.device_dram.regions.activations=2MiB")
    compared = os.path.join(work, "compare.html")
    done = run(program, ["compare", folder("account"), folder("store"), "--out", compared])
    if "Both have the same trained weights, bit for bit." not in done.stdout:
        raise Failure("compare does not say that the weights are the same:\n" + done.stdout)
    pages["compare"] = (compared, ["chart-training", "chart-compared-reasons", "chart-compared-memory", "chart-compared-live", "chart-compared-schedules"],
                        ["account and store", "fewer", "cycles than the first", "bit for bit"])
    return pages


def check(browser, name, page, charts, texts, view, pictures):
    scheme, width, height = view
    tab = chromium.Page(browser, width, height, scheme)
    found = []
    try:
        tab.open("file://" + urllib.parse.quote(page))
        answer = tab.evaluate(CHECK.replace("SCHEME_IS_DARK", "true" if scheme == "dark" else "false"))
        found += answer["wrong"]
        found += ["it has no %s" % chart for chart in charts if chart not in answer["charts"]]
        found += ["it does not say '%s'" % text for text in texts if text.replace("\u00a0", " ") not in answer["text"].replace("\u00a0", " ")]
        if tab.evaluate("window.broken === undefined && document.images.length === 0") is not True:
            found.append("a name became markup")
        if "chart-engines" in charts and answer["first"]["chart-engines"] != "41,385":
            found.append("the engines' numbers begin at cycle %s, not where the measured span does" % answer["first"]["chart-engines"])
        if name == "long":
            ends = tab.evaluate("globalThis.retraceCharts().find((c) => c.id === 'chart-schedule').chart.getOption().series[0].data.map((d) => d[1])")
            if not 100 <= len(ends) <= 8000 or max(ends) != 1199990:
                found.append("of a long step %d bars are drawn, up to cycle %d" % (len(ends), max(ends)))
        if pictures:
            tab.screenshot(os.path.join(pictures, "%s-%s-%d.png" % (name, scheme, width)), whole=True)
        if width > 600 and scheme == "light":
            found += ["%s: shows no tooltip" % chart for chart in point_at_charts(tab, len(answer["charts"]))]
        sorted_by = tab.evaluate(POKE)
        if sorted_by == 0 and "The numbers" not in answer["text"] and "chart-schedule" in charts:
            found.append("no table can be sorted")
        # The other colours, without loading again.
        other = "light" if scheme == "dark" else "dark"
        tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": other}])
        again = tab.evaluate(CHECK.replace("SCHEME_IS_DARK", "true" if other == "dark" else "false"))
        found += ["after everything was touched and the colours changed: " + w for w in again["wrong"] if "nothing of its data" not in w and "no series" not in w]
        found += tab.complaints()
    except chromium.BrowserError as error:
        found.append(str(error))
        found += tab.complaints()
    tab.close()
    return ["%s, %s, %d wide: %s" % (name, scheme, width, f) for f in found]


def main():
    program, source, work = sys.argv[1:4]
    binary = chromium.find()
    if not binary:
        print("left out: there is no Chromium (Debian: chromium)")
        return 77
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    pictures = os.environ.get("RETRACE_SCREENSHOTS")
    if pictures:
        pathlib.Path(pictures).mkdir(parents=True, exist_ok=True)
    pages = make_runs(program, source, work)
    with open(pages["training"][0], encoding="utf-8") as file:
        if "This program was built without npm" in run(program, ["report", os.path.join(work, "training")]).stderr or "globalThis.echarts=" not in file.read():
            print("left out: the program was built without npm, its reports have no charts")
            return 77
    wrong = []
    # The page of a program that was built without npm: everything but the charts.
    with open(pages["account"][0], encoding="utf-8") as file:
        text = file.read()
    end = text.index("globalThis.echarts=")
    begin, end = text.rindex("<script>", 0, end) + len("<script>"), text.index("</script>", end)
    plain = os.path.join(work, "plain.html")
    with open(plain, "w", encoding="utf-8") as file:
        file.write(text[:begin] + text[end:])
    with chromium.Chromium(binary) as browser:
        for name, (page, charts, texts, *views) in pages.items():
            size = os.path.getsize(page)
            if size > 3_700_000:
                wrong.append("%s: %d bytes are too many" % (name, size))
            if "http-equiv" not in open(page, encoding="utf-8").read(2000):
                wrong.append("%s: no policy against requests" % name)
            for view in views[0] if views else VIEWS:
                wrong += check(browser, name, page, charts, texts, view, pictures)
        wrong += checker_finds_faults(browser, pages["account"][0], work)
        tab = chromium.Page(browser, 390, 844, "light")
        tab.open("file://" + urllib.parse.quote(plain))
        rows, words, fits = tab.evaluate("[document.querySelectorAll('figure tbody tr').length, document.body.innerText,"
                                         " document.documentElement.scrollWidth <= 390]")
        if rows < 50 or "built without npm" not in words or not fits or tab.complaints():
            wrong.append("without charts: %d rows of numbers, %s" % (rows, tab.complaints()))
        tab.close()
    for w in wrong:
        print(w)
    print("%d pages, most in %d views: %s" % (len(pages), len(VIEWS), "%d faults" % len(wrong) if wrong else "all good"))
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, chromium.BrowserError) as failure:
        print(failure)
        sys.exit(1)
