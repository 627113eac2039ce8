/* What interactive figures share. A page that holds a figure loads this script first, then the figure's own.

   A figure is a custom element in a file of its own: `chapters/assets/mask-lab.js` defines <mask-lab>, and every page
   that holds <mask-lab> loads it; nothing has to be registered anywhere. In the page:

     <mask-lab><script type="application/json">{"tokens": …}</script><p>What the figure shows, in words.</p></mask-lab>

   The JSON is computed by the page's Python. The paragraph is what a reader without scripts sees. Where the JSON is long,
   the build puts it into a file of its own (`data-src`, see extensions/long_records.py), which is loaded when the reader
   comes near. In the script:

     lab.define("mask-lab", (data, { show, live }) => {
       const box = lab.make("input", { type: "checkbox" });
       …
       return [box, table];                        // what the figure is made of, in order
     });

   lab.define(tag, build)        defines the element. build(data, figure) gets the parsed JSON and the element, and
                                 returns the nodes to show. If data.label is set, it names the figure.
   lab.make(tag, attrs, ...kids) a new element. Kids are nodes or text. Text in Chinese is marked as Chinese.
   lab.svg(tag, attrs, ...kids)  the same for SVG.
   lab.slider(text, {min, max, step, value, digits}, onInput)
                                 a labelled range with its value beside it: {row, input, value()}.
   lab.checkbox(text, checked, onChange), lab.radios(legend, texts, chosen, onChange, onHover)
                                 labelled native inputs; `radios` returns a fieldset. onHover(i) previews choice i;
                                 when the pointer leaves, it is called with the choice that stands.
   lab.bars(labels, values)      rows of label, bar and number, for values from 0 to 1.
   lab.live(text)                a paragraph that screen readers speak when its text changes.
   lab.softmax(xs)               weights of a row of scores; -Infinity gets weight 0. A row of nothing else gives zeros. */
window.lab = (() => {
  const HAN = /\p{Script=Han}/u;
  const fill = (node, attrs, kids) => {
    for (const [name, value] of Object.entries(attrs)) {
      if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    if (kids.length && kids.every((kid) => typeof kid === "string") && HAN.test(kids.join("")) && !/[a-z]/i.test(kids.join(""))) {
      node.setAttribute("lang", "zh-Hans");
    }
    node.append(...kids);
    return node;
  };
  const make = (tag, attrs = {}, ...kids) => fill(document.createElement(tag), attrs, kids);
  const svg = (tag, attrs = {}, ...kids) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attrs, kids);

  const softmax = (xs) => {
    const top = Math.max(...xs);
    if (top === -Infinity) return xs.map(() => 0);
    const es = xs.map((x) => Math.exp(x - top)), sum = es.reduce((a, b) => a + b);
    return es.map((e) => e / sum);
  };

  const NEAR = "1500px";                        // of what is seen: the figure is there before the reader is
  const records = {};                           // a long record's file says what it holds: lab.records["name.js"] = {…}

  /** A figure's data, at once or, where it has a file of its own, when the figure comes near. */
  const withData = (figure, source, use) => {
    const file = source.dataset.src;
    if (!file) { use(JSON.parse(source.textContent)); return; }
    const name = file.replace(/^.*\/|\?.*$/g, "");
    const near = new IntersectionObserver((seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      document.head.append(Object.assign(document.createElement("script"), { src: file, onload: () => use(records[name]) }));
    }, { rootMargin: NEAR });
    near.observe(figure);
  };

  const define = (tag, build) => customElements.define(tag, class extends HTMLElement {
    connectedCallback() {
      const source = this.querySelector("script[type='application/json']");
      if (!source || this.asked) return;
      this.asked = true;
      withData(this, source, (data) => {
        const parts = build(data, this);
        this.dataset.ready = "yes";
        this.setAttribute("role", "group");
        if (data.label) this.setAttribute("aria-label", data.label);
        this.replaceChildren(source, ...parts);
      });
    }
  });

  const slider = (text, { min, max, step = 0.05, value, digits = 2 }, onInput) => {
    const input = make("input", { type: "range", min, max, step, value }), out = make("output");
    const say = () => { out.textContent = Number(input.value).toFixed(digits); };
    input.addEventListener("input", () => { say(); onInput(Number(input.value)); });
    say();
    return { input, value: () => Number(input.value), row: make("label", { class: "lab-slider" }, make("span", {}, text), input, out) };
  };

  const checkbox = (text, checked, onChange) => {
    const input = make("input", { type: "checkbox" });
    input.checked = checked;
    input.addEventListener("change", () => onChange(input.checked));
    return { input, label: make("label", {}, input, ` ${text}`) };
  };

  let groups = 0;
  const radios = (legend, texts, chosen, onChange, onHover) => {
    const name = `lab-${++groups}`, set = make("fieldset", { class: "lab-choices" }, make("legend", {}, legend));
    texts.forEach((text, i) => {
      const input = make("input", { type: "radio", name, value: i });
      input.checked = i === chosen;
      input.addEventListener("change", () => { chosen = i; onChange(i); });
      const label = make("label", {}, input, " ", make("span", {}, text));
      if (onHover) {
        label.addEventListener("mouseenter", () => onHover(i));
        label.addEventListener("mouseleave", () => onHover(chosen));
      }
      set.append(label);
    });
    return set;
  };

  const bars = (labels, values, digits = 3) => values.map((value, i) => {
    const bar = make("span", { class: "lab-bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", value);
    return make("div", { class: "lab-row" }, make("span", { class: "lab-key" }, labels[i]), bar,
      make("output", { "aria-label": `weight on ${labels[i]}` }, value.toFixed(digits)));
  });

  const live = (text = "") => make("p", { class: "lab-notes", "aria-live": "polite" }, text);

  return { make, svg, define, records, slider, checkbox, radios, bars, live, softmax };
})();
