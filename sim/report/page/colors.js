// Colours mean the same thing in every chart: phases of training, reasons for cycles, tensors. Each has a light and a dark version.

const dark = matchMedia("(prefers-color-scheme: dark)");

const phaseNames = {
    forward: "forward",
    loss_gradient: "loss gradient",
    loss: "loss gradient",
    recompute: "recompute",
    backward: "backward",
    transfer: "transfer",
    evaluate: "evaluation",
    none: "outside commands",
};
const phaseColors = {
    forward: ["#2f6fb3", "#6aa9e9"],
    loss_gradient: ["#a03f9c", "#d683d2"],
    loss: ["#a03f9c", "#d683d2"],
    recompute: ["#e08a1e", "#f2ae52"],
    backward: ["#23876e", "#4fc3a5"],
    transfer: ["#8c96a4", "#7f8b9a"],
    evaluate: ["#5aa3bd", "#8bd0e4"],
    none: ["#c3c9d1", "#4b5563"],
};

// In the order in which they are stacked; `says` completes "x % of the cycles ...".
const reasons = {
    compute: { name: "compute", says: "the array computed", colors: ["#2f6fb3", "#5f9fe0"] },
    fill: { name: "fill", says: "the array filled its pipeline", colors: ["#6d9dd0", "#8bbaf0"] },
    drain: { name: "drain", says: "the array drained its pipeline", colors: ["#93b8de", "#aacbf2"] },
    weight_load: { name: "weight load", says: "weights entered the array", colors: ["#b9d2ea", "#cfe1f6"] },
    bank_conflict: {
        name: "bank conflict",
        says: "the array waited for a bank of state buffer or PSUM",
        colors: ["#7a4fb0", "#b794e6"],
    },
    dram: { name: "DRAM", says: "the array waited for DRAM", colors: ["#cf5227", "#f08458"] },
    dma: { name: "DMA", says: "the array waited for a DMA queue's own work", colors: ["#e39a2d", "#f2b75f"] },
    link: { name: "host link", says: "the array waited for the host link", colors: ["#c4a51c", "#e6d060"] },
    activation: { name: "activation", says: "the array waited for the activation engine", colors: ["#23876e", "#4fc3a5"] },
    vector: { name: "vector", says: "the array waited for the vector engine", colors: ["#77b85c", "#a0dc86"] },
    semaphore: {
        name: "semaphore",
        says: "the array waited for a semaphore that no busy engine was about to signal",
        colors: ["#c2447e", "#ee83b2"],
    },
    command: { name: "command", says: "commands were being started or completed", colors: ["#7d6b58", "#b39c84"] },
    host: { name: "host", says: "the device waited for the host's computation", colors: ["#97a1ad", "#8b96a4"] },
    other: { name: "other", says: "the array waited for something else", colors: ["#c9ced6", "#5a6573"] },
};

// Tensors of one memory, in the order of their names: layer after layer from blue to yellow.
const ramps = [
    ["#31407f", "#2f6f9f", "#2f9a8f", "#7dbb6c", "#ecc94b"],
    ["#6574cf", "#4f9fd0", "#46bfae", "#97d07f", "#f3d96b"],
];

const memoryColors = {
    activations: ["#2f9a8f", "#46bfae"],
    gradients: ["#b8497f", "#ea86b6"],
    weights: ["#3f7fc1", "#6aa9e9"],
    programs: ["#a8873a", "#dcbd73"],
    device_dram: ["#5b6f87", "#9fb2c8"],
    state_buffer: ["#7a5ab5", "#b394e6"],
    psum: ["#c9582f", "#f08a61"],
};

function shade(pair) {
    return pair[dark.matches ? 1 : 0];
}
function phaseColor(phase) {
    return shade(phaseColors[phase] ?? phaseColors.none);
}
function phaseName(phase) {
    return phaseNames[phase] ?? phase;
}
function reasonColor(reason) {
    return shade((reasons[reason] ?? reasons.other).colors);
}
function reasonName(reason) {
    return reasons[reason]?.name ?? reason;
}
function memoryColor(name) {
    return shade(memoryColors[name] ?? memoryColors.device_dram);
}

/** The colour of the i-th of `count` tensors. */
function rampColor(i, count) {
    const ramp = ramps[dark.matches ? 1 : 0],
        at = count > 1 ? (i / (count - 1)) * (ramp.length - 1) : 2,
        from = Math.min(ramp.length - 2, Math.floor(at));
    const part = (color, n) => parseInt(color.slice(1 + 2 * n, 3 + 2 * n), 16);
    return `rgb(${[0, 1, 2].map((n) => Math.round(part(ramp[from], n) + (at - from) * (part(ramp[from + 1], n) - part(ramp[from], n)))).join(",")})`;
}

function engineName(engine) {
    if (engine === "pe") return "PE array";
    const queue = /^dma(\d+)$/.exec(engine);
    return queue ? `DMA ${queue[1]}` : engine;
}

/** Ink, lines and ground of the page as they are now. */
function theme() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    return {
        ink: color("--ink"),
        soft: color("--soft"),
        line: color("--line"),
        faint: color("--faint"),
        card: color("--card"),
        bad: color("--bad"),
    };
}
