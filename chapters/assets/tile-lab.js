/* <tile-lab>: one row of scores read tile by tile; what is carried along (m, l, o), the rescale factor, and the
   output so far, beside the one that comes out when the factor is forgotten. All numbers come with the page.
   JSON: {"query": "很", "tokens": ["酒店", "很", "干净"], "scores": [0, 1, 2],
          "readings": {"1": {"forward": [step, ...], "reverse": [step, ...]}, "2": ...}, "label": "optional name"}
   The keys of "readings" are the tile sizes. A step is one tile: {"keys": [0], "old": null or the maximum before,
   "m": 0, "factor": 0, "l": 1, "o": [...], "out": [...], "wrong": [...]}; "keys" are places in "tokens". */
(() => {
  let count = 0;
  const { make } = lab;
  const short = (x) => (Number.isInteger(x) ? String(x) : x.toFixed(3)).replace("-", "−");
  const vector = (xs) => `(${xs.map(short).join(", ")})`;
  lab.define("tile-lab", (data) => {
    const sizes = Object.keys(data.readings);
    const name = `tile-lab-${++count}`;
    let size = sizes[0], done = 0;

    const choices = make("fieldset", {}, make("legend", {}, "Scores in a tile"));
    for (const each of sizes) {
      const input = make("input", { type: "radio", name, value: each });
      input.checked = each === size;
      input.addEventListener("change", () => { size = each; done = 0; show(); });
      choices.append(make("label", {}, input, ` ${each}`));
    }
    const reverse = make("input", { type: "checkbox" });
    reverse.addEventListener("change", () => { done = 0; show(); });
    choices.append(make("label", {}, reverse, " read from the end"));

    const back = make("button", { type: "button" }, "Back");
    const next = make("button", { type: "button" }, "Next tile");
    const where = make("span", { class: "tile-where" });
    const move = (by) => (event) => {
      if (event.currentTarget.getAttribute("aria-disabled") !== "true") { done += by; show(); }
    };
    back.addEventListener("click", move(-1));
    next.addEventListener("click", move(1));

    const strip = make("ol", { class: "tile-strip", "aria-label": `Scores of ${data.query}, in reading order` });
    const notes = make("p", { class: "lab-notes", "aria-live": "polite" });
    const table = make("dl", { class: "tile-state" });

    const show = () => {
      const steps = data.readings[size][reverse.checked ? "reverse" : "forward"];
      const step = steps[done - 1], before = steps[done - 2];
      back.setAttribute("aria-disabled", done === 0);  // not `disabled`, which would lose the keyboard's place
      next.setAttribute("aria-disabled", done === steps.length);
      where.textContent = `${done} of ${steps.length} read`;
      strip.replaceChildren(...steps.map((each, i) => {
        const state = i < done - 1 ? "read" : i === done - 1 ? "now" : "to come";
        return make("li", { class: `tile-${state.replace(" ", "-")}` },
          make("span", { class: "tile-scores" }, ...each.keys.map((j) =>
            make("span", {}, make("b", {}, short(data.scores[j])), make("small", {}, data.tokens[j])))),
          make("small", {}, state));
      }));
      const rows = step ? [
        ["m", "largest score so far", short(step.m)],
        ["factor", "for all that came before", ...(step.old === null ? ["none: the first tile"]
          : ["e", make("sup", {}, `${short(step.old)} − ${short(step.m)}`), ` = ${short(step.factor)}`])],
        ["ℓ", "sum of exponentials", before ? `${short(before.l)} × ${short(step.factor)} + new = ${short(step.l)}`
          : short(step.l)],
        ["o", "exponentials × values", vector(step.o)],
        ["o / ℓ", "output so far", vector(step.out)],
        ["", "the same, factor forgotten", vector(step.wrong)],
      ] : [["m", "largest score so far", "−∞"], ["ℓ", "sum of exponentials", "0"],
        ["o", "exponentials × values", vector(data.readings[size].forward[0].o.map(() => 0))]];
      table.replaceChildren(...rows.map(([sign, words, ...value]) => make("div", {},
        make("dt", {}, ...(sign ? [make("b", {}, sign), ` ${words}`] : [words])), make("dd", {}, ...value))));
      const same = step && step.wrong.every((x, i) => Math.abs(x - step.out[i]) < 1e-9);
      notes.textContent = !step ? `Nothing is read yet. Query: ${data.query}.`
        : (step.old === null ? `The first tile: the maximum is ${short(step.m)}, and there is nothing to rescale.`
          : step.m > step.old
            ? `The maximum rises from ${short(step.old)} to ${short(step.m)}: all that was summed shrinks to ${short(step.factor)} of itself.`
            : `The maximum stays ${short(step.m)}: the factor is 1.`)
          + (done === steps.length ? ` All is read: o / ℓ is the output of ${data.query}. Without the factor it ${same
            ? "would be the same, in this order." : "is wrong."}` : "");
    };
    data.label ||= `The scores of ${data.query}, tile by tile`;
    show();
    return [choices, make("div", { class: "tile-steps" }, back, next, where), strip, table, notes];
  });
})();
