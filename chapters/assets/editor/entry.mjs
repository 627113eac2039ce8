/* What the pages need of CodeMirror, and no more. `codemirror.js` beside this file is made of it:

     npm install && npm run build

   The versions stand in package.json, all of them exact, and README.md has the digest that comes out. */
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { pythonLanguage } from "@codemirror/lang-python";
import { bracketMatching, indentOnInput, indentUnit, LanguageSupport, syntaxHighlighting } from "@codemirror/language";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

/* An editor for Python in `parent`: { text(), replace(text), focus() }.
   `label` is its name for screen readers, `describedBy` the id of what explains its keys; `onChange(text)` is told of
   every change, and `onRun()` of Ctrl-Enter (⌘ on a Mac). */
export const makeEditor = ({ parent, text, label, describedBy, onChange, onRun }) => {
  const run = { key: "Mod-Enter", run: () => { onRun(); return true; } };
  const names = { "aria-label": label, "aria-describedby": describedBy, autocapitalize: "off", autocorrect: "off", spellcheck: "false" };
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        Prec.highest(keymap.of([run])),
        lineNumbers(), highlightSpecialChars(), history(), indentOnInput(), bracketMatching(), indentUnit.of("    "),
        EditorState.tabSize.of(4), EditorView.lineWrapping, EditorView.contentAttributes.of(names),
        new LanguageSupport(pythonLanguage), syntaxHighlighting(classHighlighter),
        keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
        EditorView.updateListener.of((update) => { if (update.docChanged) onChange(view.state.doc.toString()); }),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    replace: (now) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: now } }),
    focus: () => view.focus(),
  };
};
