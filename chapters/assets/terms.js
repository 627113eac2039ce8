/* A first tap on a term shows what it means, beside it; a second one goes to the glossary. Where there is a mouse, the
   link's title says it. */
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.term-link[title]");
  if (!link || !matchMedia("(hover: none)").matches || link.nextElementSibling?.matches(".term-note")) return;
  event.preventDefault();
  for (const note of document.querySelectorAll(".term-note")) note.remove();
  const note = document.createElement("span");
  note.className = "term-note";
  note.setAttribute("role", "status");
  note.textContent = ` ${link.title} `;
  link.after(note);
});
