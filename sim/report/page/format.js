// Numbers as people read them, and elements whose text is never markup.

const integer = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

function isNumber(value) {
    return typeof value === "number" && Number.isFinite(value);
}

const nbsp = "\u00a0"; // a number and its unit stay on one line

/** 66,734,664 */
function whole(value) {
    return isNumber(value) ? integer.format(value) : "–";
}

/** Three significant digits without an exponent. */
function short(value) {
    const size = Math.abs(value);
    return size >= 100 || size === 0
        ? value.toFixed(0)
        : size >= 10
          ? value.toFixed(1)
          : size >= 1
            ? value.toFixed(2)
            : value.toPrecision(3);
}

/** 66.7 M */
function count(value) {
    if (!isNumber(value)) return "–";
    for (const [factor, unit] of [
        [1e15, "P"],
        [1e12, "T"],
        [1e9, "G"],
        [1e6, "M"],
        [1e3, "k"],
    ])
        if (Math.abs(value) >= factor) return `${short(value / factor)}${nbsp}${unit}`;
    return Number.isInteger(value) ? whole(value) : short(value);
}

/** 160.0 KiB */
function bytes(value) {
    if (!isNumber(value)) return "–";
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (Math.abs(value) >= 1024 && unit + 1 < units.length) {
        value /= 1024;
        ++unit;
    }
    return unit === 0 ? `${whole(value)}${nbsp}B` : `${Number.isInteger(value) ? value : short(value)}${nbsp}${units[unit]}`;
}

/** Of a share from 0 to 1: 31 %, 1.4 %, < 0.01 % */
function percent(share) {
    if (!isNumber(share)) return "–";
    const value = 100 * share;
    if (value !== 0 && Math.abs(value) < 0.01) return `<${nbsp}0.01${nbsp}%`;
    return `${value === 0 || Math.abs(value) >= 99.95 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)}${nbsp}%`;
}

/** 66.7 ms */
function seconds(value) {
    if (!isNumber(value)) return "–";
    for (const [factor, unit] of [
        [1, "s"],
        [1e-3, "ms"],
        [1e-6, "µs"],
        [1e-9, "ns"],
    ])
        if (value >= factor || unit === "ns") return `${short(value / factor)}${nbsp}${unit}`;
    return `0${nbsp}s`;
}

function clock(hertz) {
    return hertz >= 1e9
        ? `${short(hertz / 1e9).replace(/\.0+$/, "")}${nbsp}GHz`
        : `${short(hertz / 1e6).replace(/\.0+$/, "")}${nbsp}MHz`;
}

function capital(text) {
    return text.charAt(0).toUpperCase() + text.slice(1);
}

function plural(number, noun) {
    return `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** "a, b and c" */
function list(words) {
    return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

/** The value at a path of keys, or undefined. */
function at(object, ...path) {
    for (const key of path) {
        if (object === null || typeof object !== "object" || !Object.hasOwn(object, key)) return undefined;
        object = object[key];
    }
    return object;
}

function sum(values) {
    return values.reduce((total, value) => total + (isNumber(value) ? value : 0), 0);
}

/** An element: attributes by name ("class", "onclick" with a function ...), then children; strings are text. */
function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
        else if (value === true) made.setAttribute(name, "");
        else if (value !== false && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
}

/** Text in which `code` between backquotes is set as code. */
function sentence(text) {
    return String(text)
        .split("`")
        .map((part, i) => (i % 2 === 1 ? element("code", {}, part) : part));
}

function paragraph(text, className) {
    return element("p", className ? { class: className } : {}, ...sentence(text));
}

/** What stands where the run's files say something that no run says. */
function cannotShow() {
    return missing("This part cannot be shown: here the run's files hold something else than a run writes.");
}

/** What `make` makes: an element or several; a sentence where it fails. */
function guarded(make) {
    try {
        return make();
    } catch {
        return cannotShow();
    }
}

/** What stands where something cannot be shown. */
function missing(text) {
    return element("p", { class: "missing" }, ...sentence(text));
}
