/* Formulas: MathJax is a megabyte, so it comes when it is wanted: at the reader's first move, when a formula is
   within a screen of what is seen, or before printing. Until then a formula shows its TeX. */
(() => {
  const base = new URL("mathjax", document.currentScript.src).href;
  const causes = ["scroll", "pointerdown", "pointermove", "keydown", "touchstart", "beforeprint"];
  const near = new IntersectionObserver((seen) => { if (seen.some((s) => s.isIntersecting)) load(); }, { rootMargin: "100% 0px" });
  let asked = false;
  const load = () => {
    if (asked) return;
    asked = true;
    near.disconnect();
    for (const cause of causes) removeEventListener(cause, load);
    window.MathJax = {
      loader: { load: ["input/tex", "output/chtml", "a11y/assistive-mml"], paths: { mathjax: base } },
      chtml: { matchFontHeight: false, scale: 1.03 },
      options: { ignoreHtmlClass: "tex2jax_ignore|mathjax_ignore", processHtmlClass: "tex2jax_process|mathjax_process|math|output_area" },
      startup: { ready: () => { MathJax.startup.defaultReady(); MathJax.startup.promise.then(() => { document.documentElement.dataset.math = "set"; }); } },
    };
    const script = document.createElement("script");
    script.src = `${base}/startup.js`;
    document.head.append(script);
  };
  for (const cause of causes) addEventListener(cause, load, { passive: true });
  for (const formula of document.querySelectorAll(".math")) near.observe(formula);
})();
