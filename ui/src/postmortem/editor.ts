// The source of the post-mortem: CodeMirror, with line numbers, citations in colour and a wash where a sentence rests
// on nothing.
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { defineLanguageFacet, HighlightStyle, Language, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, StateEffect, StateField, Transaction, type ChangeSpec, type Extension } from "@codemirror/state";
import {
  Decoration,
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
  MatchDecorator,
  ViewPlugin,
  type DecorationSet,
  type ViewUpdate,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { parser, Table } from "@lezer/markdown";
import type { SentenceDto } from "../ipc/types";

export interface Listeners {
  /** A person changed the text. */
  typed: (text: string) => void;
  /** The caret stands elsewhere. */
  caret: (at: number) => void;
  /** Whether it may be changed; if not, the change waits in what this is given. */
  locked: (change: () => void) => boolean;
}

/** The program's own changes to the text: they pass where a person is asked first. */
const PROGRAM = "afterwatch";
const setSentences = StateEffect.define<readonly SentenceDto[]>();

/** What Tauri gave this page for styles made at run time; the content policy lets no others pass. */
function nonce(): string {
  return document.querySelector<HTMLStyleElement>("style[data-styles]")?.nonce ?? "";
}

const language = new Language(defineLanguageFacet(), parser.configure([Table]), [], "markdown");
const colours = HighlightStyle.define([
  { tag: tags.heading, class: "cm-heading" },
  { tag: tags.strong, class: "cm-strong" },
  { tag: tags.emphasis, class: "cm-emphasis" },
  { tag: [tags.processingInstruction, tags.contentSeparator], class: "cm-mark" },
]);

const cited = new MatchDecorator({
  regexp: /\[(?:[ECA]\d+(?:[,;]\s*[ECA]\d+)*|timeline)\]/g,
  decoration: Decoration.mark({ class: "cm-cited" }),
});
const citations = ViewPlugin.fromClass(
  class {
    shown: DecorationSet;
    constructor(view: EditorView) {
      this.shown = cited.createDeco(view);
    }
    update(update: ViewUpdate) {
      this.shown = cited.updateDeco(update, this.shown);
    }
  },
  { decorations: (plugin) => plugin.shown },
);

const nothing = Decoration.mark({ class: "cm-nothing" });
const unknown = Decoration.mark({ class: "cm-nothing cm-unknown" });
const sentences = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(shown, transaction) {
    let now = shown.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(setSentences)) continue;
      const length = transaction.state.doc.length;
      const bad = effect.value.filter((s) => ["nothing", "unknown"].includes(s.standing) && s.from < s.to);
      now = Decoration.set(
        bad
          .filter((s) => s.to <= length)
          .map((s) => (s.standing === "unknown" ? unknown : nothing).range(s.from, s.to)),
        true,
      );
    }
    return now;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** Enter in a list begins the next item; on an empty one it ends the list. */
function nextItem(view: EditorView): boolean {
  const { state } = view;
  const { main } = state.selection;
  const line = state.doc.lineAt(main.head);
  const item = /^(\s*)([-*+]|(\d+)([.)]))(\s+)(?:\[[ xX]\](\s+))?/.exec(line.text);
  if (!main.empty || !item || main.head < line.from + item[0].length) return false;
  if (line.text.length === item[0].length) {
    view.dispatch({ changes: { from: line.from, to: line.to, insert: "" }, userEvent: "delete" });
    return true;
  }
  const sign = item[3] ? `${Number(item[3]) + 1}${item[4]}` : item[2];
  const insert = `\n${item[1]}${sign}${item[5]}${item[6] === undefined ? "" : `[ ]${item[6]}`}`;
  view.dispatch(state.replaceSelection(insert), { scrollIntoView: true, userEvent: "input" });
  return true;
}

function extensions(listeners: Listeners): Extension[] {
  return [
    EditorView.cspNonce.of(nonce()),
    lineNumbers(),
    history(),
    drawSelection(),
    highlightActiveLine(),
    highlightSelectionMatches(),
    EditorView.lineWrapping,
    language.extension,
    syntaxHighlighting(colours),
    citations,
    sentences,
    keymap.of([{ key: "Enter", run: nextItem }, ...searchKeymap, ...historyKeymap, ...defaultKeymap]),
    EditorView.contentAttributes.of({
      "aria-label": "Post-mortem, Markdown",
      spellcheck: "true",
      autocapitalize: "on",
      // It is reachable by keys anyway; said, so that what looks for a way into the scrolled region finds it.
      tabindex: "0",
    }),
    EditorState.transactionFilter.of((transaction) => {
      const own = transaction.annotation(Transaction.userEvent) === PROGRAM;
      if (!transaction.docChanged || own) return transaction;
      const { changes, newSelection } = transaction;
      return listeners.locked(() => editors.get(listeners)?.go(changes, newSelection.main.head)) ? [] : transaction;
    }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged && !update.transactions.some((t) => t.annotation(Transaction.userEvent) === PROGRAM))
        listeners.typed(update.state.doc.toString());
      if (update.selectionSet || update.focusChanged || update.docChanged)
        listeners.caret(update.state.selection.main.head);
    }),
  ];
}

const editors = new WeakMap<Listeners, Editor>();

export class Editor {
  readonly view: EditorView;
  #listeners: Listeners;

  constructor(parent: HTMLElement, text: string, listeners: Listeners) {
    this.#listeners = listeners;
    editors.set(listeners, this);
    this.view = new EditorView({ parent, state: EditorState.create({ doc: text, extensions: extensions(listeners) }) });
  }

  get text(): string {
    return this.view.state.doc.toString();
  }

  /** Takes a text that came from elsewhere. What is the same at both ends stays, and with it the caret. */
  show(text: string): void {
    const now = this.text;
    if (now === text) return;
    let head = 0;
    while (head < now.length && head < text.length && now[head] === text[head]) head++;
    let tail = 0;
    const room = Math.min(now.length, text.length) - head;
    while (tail < room && now[now.length - 1 - tail] === text[text.length - 1 - tail]) tail++;
    this.view.dispatch({
      changes: { from: head, to: now.length - tail, insert: text.slice(head, text.length - tail) },
      userEvent: PROGRAM,
    });
  }

  /** Changes it as a person would, so that it can be undone and is saved. */
  change(changes: ChangeSpec, select?: { from: number; to: number }): void {
    this.view.dispatch({
      changes,
      userEvent: "input",
      scrollIntoView: true,
      ...(select ? { selection: { anchor: select.from, head: select.to } } : {}),
    });
  }

  /** A change that had to wait. */
  go(changes: ChangeSpec, head: number): void {
    this.view.dispatch({ changes, selection: { anchor: head }, userEvent: "input" });
    this.view.focus();
  }

  /** Puts a word in at the caret, with a space before it where one is wanted. */
  insert(word: string): void {
    const { main } = this.view.state.selection;
    const before = this.view.state.sliceDoc(Math.max(0, main.from - 1), main.from);
    const put = `${before && !/\s/.test(before) ? " " : ""}${word}`;
    this.view.dispatch({
      changes: { from: main.from, to: main.to, insert: put },
      selection: { anchor: main.from + put.length },
      userEvent: "input",
      scrollIntoView: true,
    });
    this.view.focus();
  }

  /** Marks which sentences rest on nothing. */
  mark(of: readonly SentenceDto[]): void {
    this.view.dispatch({ effects: setSentences.of(of) });
  }

  /** Selects a sentence and brings it into sight. */
  jump(from: number, to: number): void {
    const end = this.view.state.doc.length;
    const [anchor, head] = [Math.min(from, end), Math.min(to, end)];
    this.view.dispatch({
      selection: { anchor, head },
      effects: EditorView.scrollIntoView(anchor, { y: "center" }),
    });
    this.view.focus();
  }

  destroy(): void {
    editors.delete(this.#listeners);
    this.view.destroy();
  }
}
