/* <ablation-lab>: a model trained whole and without one of its parts. The reader first puts the parts in order, the one
   that will be missed most in front; only then are the curves shown, with the reader's order beside the one that was
   measured, and in words what came of the guess. A slider goes through the steps; a choice brings one curve forward and
   says what that model writes.
   JSON: {"whole": {"name", "instead", "curve": [[step, mean, lowest, highest], …], "writes"}, "parts": [the same, …],
          "floor": 0.08, "seeds": 5, "unit": "bits per byte", "label": "optional name"}
   Two curves of which the seeds overlap at a step count as equal there. */
(() => {
  const W = 360, H = 236, LEFT = 42, RIGHT = 10, TOP = 12, BOTTOM = 198, TICKS = [0.05, 0.1, 0.2, 0.5, 1, 2, 4];
  const { make, svg } = lab;
  const number = (x) => x.toFixed(3);
  const listed = (xs) => (xs.length < 2 ? xs.join("") : `${xs.slice(0, -1).join(", ")} and ${xs.at(-1)}`);
  const capital = (text) => text[0].toUpperCase() + text.slice(1);

  lab.define("ablation-lab", (data) => {
    data.label ??= "Which part is missed most?";
    const { whole, parts, floor } = data, all = [whole, ...parts], steps = whole.curve.map((point) => point[0]), end = steps.length - 1;
    const at = (part, i) => ({ mean: part.curve[i][1], low: part.curve[i][2], high: part.curve[i][3] });
    const apart = (a, b, i) => { // 1: a is worse, −1: b is, 0: the seeds do not say
      const p = at(a, i), q = at(b, i);
      return p.low > q.high ? 1 : q.low > p.high ? -1 : 0;
    };
    const worstFirst = (i) => [...parts].sort((a, b) => at(b, i).mean - at(a, i).mean);

    /* The picture. */
    const tops = all.flatMap((part) => part.curve.map((point) => point[3]));
    const low = Math.log(floor * 0.8), high = Math.log(Math.max(...tops) * 1.1);
    const x = (step) => LEFT + step / steps[end] * (W - LEFT - RIGHT), y = (bits) => BOTTOM - (Math.log(bits) - low) / (high - low) * (BOTTOM - TOP);
    const line = (part) => `M${part.curve.map(([step, mean]) => `${x(step).toFixed(1)} ${y(mean).toFixed(1)}`).join("L")}`;
    const kind = (part) => `abl-curve abl-${all.indexOf(part)}`;
    const curves = svg("g"), plumb = svg("path", { class: "abl-plumb" });
    const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "font-size": 13.5, class: "abl-plot" },
      svg("path", { class: "abl-axis", d: `M${LEFT} ${TOP}V${BOTTOM}H${W - RIGHT}` }),
      ...TICKS.filter((t) => Math.log(t) > low && Math.log(t) < high).flatMap((t) => [
        svg("path", { class: "abl-tick", d: `M${LEFT - 4} ${y(t)}H${LEFT}` }),
        svg("text", { x: LEFT - 7, y: y(t) + 4.5, "text-anchor": "end" }, String(t))]),
      ...[0, 50, 100, 150, 200, 250, 300].filter((s) => s <= steps[end]).map((s) => svg("text", { x: x(s), y: BOTTOM + 17, "text-anchor": s === steps[end] ? "end" : "middle" }, String(s))),
      svg("text", { x: (LEFT + W) / 2, y: H - 3, "text-anchor": "middle" }, "step"),
      svg("path", { class: "abl-floor", d: `M${LEFT} ${y(floor)}H${W - RIGHT}` }),
      svg("text", { x: LEFT + 6, y: y(floor) - 5, class: "abl-floor-name" }, `the floor: ${number(floor)}`), plumb, curves);
    const unit = make("p", { class: "abl-unit" }, `${capital(data.unit)}, held out, mean of ${data.seeds} seeds; each line of the scale is about twice the one below`);

    /* The guess. */
    const order = [], say = lab.live(), verdict = lab.live();
    const buttons = parts.map((part) => {
      const place = make("span", { class: "abl-place", "aria-hidden": "true" });
      const button = make("button", { type: "button", class: "abl-part" }, place, ` ${part.name}`);
      button.addEventListener("click", () => {
        if (order.includes(part)) order.splice(order.indexOf(part), 1);
        else order.push(part);
        ask();
      });
      return { part, button, place };
    });
    const reveal = make("button", { type: "button", class: "abl-show" }, "Show the curves");
    const again = make("button", { type: "button" }, "Guess again");
    const choose = make("div", { class: "abl-choose", role: "group", "aria-label": "What will be missed most? Choose the worst loss first" },
      ...buttons.map(({ button }) => button));
    const guess = make("div", {}, make("p", { class: "abl-question" }, "What will be missed most? Choose the worst loss first."), choose, reveal);
    const ask = () => {
      for (const { part, button, place } of buttons) {
        const at = order.indexOf(part);
        place.textContent = at < 0 ? "–" : String(at + 1);
        button.setAttribute("aria-pressed", at >= 0);
        button.setAttribute("aria-label", at < 0 ? capital(part.name) : `${capital(part.name)}, place ${at + 1}`);
      }
      const ready = order.length === parts.length;
      reveal.setAttribute("aria-disabled", !ready);
      say.textContent = !order.length ? "So far you see the whole model alone, and the floor of the grammar."
        : `Your order so far: ${order.map((part) => part.name).join(", ")}.` + (ready ? " Now look." : "");
    };

    /* What came of it. */
    const rows = make("tbody"), table = make("table", { class: "abl-table" },
      make("thead", {}, make("tr", {}, ...["", "without", "bits", "your place"].map((text, i) => make(i ? "th" : "td", i ? { scope: "col" } : {}, text)))), rows);
    let chosen = 0;
    const draw = (shown, i, bright) => {
      curves.replaceChildren(...shown.map((part) => svg("path", { class: `${kind(part)}${bright && part !== bright ? " abl-faint" : ""}`, d: line(part) })),
        ...(i === null ? [] : shown.map((part) => svg("circle", { class: `abl-dot abl-${all.indexOf(part)}`, r: 3.5, cx: x(steps[i]), cy: y(at(part, i).mean) }))));
      plumb.setAttribute("d", i === null ? "" : `M${x(steps[i])} ${TOP}V${BOTTOM}`);
      picture.setAttribute("aria-label", `Loss against training steps, on a logarithmic scale: ${shown.map((part) =>
        `${part === whole ? "the whole model" : `without ${part.name}`} falls from ${number(at(part, 0).mean)} to ${number(at(part, end).mean)}`).join("; ")}. The floor lies at ${number(floor)}.`);
    };
    const show = () => {
      const i = Number(slider.input.value), sorted = [...worstFirst(i), whole];
      slider.row.querySelector("output").textContent = steps[i];
      slider.input.setAttribute("aria-valuetext", `step ${steps[i]}`);
      draw(all, i, chosen ? all[chosen - 1] : null);
      rows.replaceChildren(...sorted.map((part) => make("tr", {},
        make("td", {}, svg("svg", { viewBox: "0 0 34 10", width: 34, height: 10, "aria-hidden": "true" }, svg("path", { class: kind(part), d: "M1 5H33" }))),
        make("th", { scope: "row" }, part === whole ? "nothing: the whole model" : part.name), make("td", {}, number(at(part, i).mean)),
        make("td", {}, part === whole ? "" : String(order.indexOf(part) + 1)))));
      const groups = []; // parts that the seeds do not tell apart stand together
      for (const part of worstFirst(i)) {
        const group = groups.at(-1);
        if (group && !apart(group[0], part, i)) group.push(part);
        else groups.push([part]);
      }
      const free = parts.filter((part) => apart(part, whole, i) <= 0);
      const part = chosen ? all[chosen - 1] : null;
      say.textContent = `After ${steps[i]} steps, the worst first: ${groups.map((group) => `${listed(group.map((p) => p.name))}${group.length > 1 ? " (too close to be told apart)" : ""}`).join("; then ")}. `
        + (free.length ? `Without ${listed(free.map((p) => p.name))} the model is no worse than the whole one. ` : "All are worse than the whole model. ")
        + (part ? `${part === whole ? "The whole model" : `Without ${part.name} (${part.instead}), the model`} writes after ${steps[end]} steps: “${part.writes} …”` : "");
    };
    const slider = lab.slider("After step", { min: 1, max: end, step: 1, value: end, digits: 0 }, show);
    const look = lab.radios("Look closer at", ["all of them", "the whole model", ...parts.map((part) => `without ${part.name}`)], 0, (i) => { chosen = i; show(); });
    const judge = () => {
      const truth = worstFirst(end), pairs = parts.flatMap((a, i) => parts.slice(i + 1).map((b) => [a, b])).filter(([a, b]) => apart(a, b, end));
      const right = pairs.filter(([a, b]) => (order.indexOf(a) < order.indexOf(b)) === (apart(a, b, end) > 0)).length;
      const hit = truth[0] === order[0] || !apart(truth[0], order[0], end);
      const last = order.at(-1), idle = !apart(last, truth.at(-1), end);
      verdict.textContent = (hit ? `You put ${order[0].name} first, and rightly: nothing else is missed more. `
        : `You put ${order[0].name} first. First comes ${truth[0].name}: ${number(at(truth[0], end).mean)} ${data.unit}, beside ${number(at(order[0], end).mean)}. `)
        + (idle ? `Your last, ${last.name}, is where it belongs. ` : `Last comes ${truth.at(-1).name}, not ${last.name}. `)
        + `Of the ${pairs.length} pairs that ${data.seeds} seeds can tell apart, ${right === pairs.length ? "all" : right || "none"} of yours ${right === 1 ? "stands" : "stand"} in the right order.`;
    };
    const answer = make("div", {}, verdict, slider.row, table, look, again);
    const close = () => {
      order.length = 0;
      answer.hidden = true;
      guess.hidden = false;
      draw([whole], null, null);
      ask();
    };
    reveal.addEventListener("click", () => {
      if (order.length < parts.length) {
        say.textContent = `Choose first: ${parts.length - order.length} places are still free.`;
        return;
      }
      guess.hidden = true;
      answer.hidden = false;
      judge();
      show();
      slider.input.focus({ preventScroll: true });
    });
    again.addEventListener("click", () => {
      close();
      buttons[0].button.focus({ preventScroll: true });
    });
    close();
    return [guess, unit, picture, answer, say];
  });
})();
