/**
 * Notices: warnings before a stop, memory that runs out, how the last session ended.
 *
 * One of a kind, until it is answered or over; said once to screen readers; takes no focus. In a hidden tab a browser
 * notification says the same, where the person allowed it. The server is told what was on a screen.
 */

import type { Actions } from './actions';
import { button, element, setHidden, setText, type Speaker } from './dom';
import { written } from './phrase';
import type { Session } from './session';
import type { INotice } from './state';
import { WORDS } from './words';

/** These stay until they are dismissed, though the server says them once. */
const STAY = new Set(['was_stopped', 'out_of_memory']);

interface INote {
  notice: INotice;
  node: HTMLElement;
  title: HTMLElement;
  why: HTMLElement;
  own: boolean;
}

/** Words of a button and what it does; every one of them also ends its notice. */
export type Choice = readonly [string, () => void | Promise<void>];

export class Notes {
  constructor(
    private readonly session: Session,
    private readonly actions: Actions,
    private readonly speaker: Speaker
  ) {
    this.node = element('div', 'jp-nbs-notes');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', WORDS.panel);
    document.body.append(this.node);
    actions.complain = notice => {
      this.dismissed.delete(notice.id);
      this.put(notice, true);
    };
    actions.kept = moved => {
      const reason = moved === 'idle' ? 'idle_soon' : 'limit_soon';
      for (const note of [...this.notes.values()].filter(one => one.notice.reason === reason)) {
        this.dismiss(note.notice);
      }
    };
  }

  /** A notice of this screen's own, with buttons; the last is what most people want. */
  own(notice: INotice, choices: readonly Choice[]): void {
    this.put(notice, true, choices);
  }

  update(): void {
    const told = this.session.state?.notices ?? [];
    const now = this.session.now();
    for (const notice of told) {
      if (!this.dismissed.has(notice.id)) {
        this.put(notice, false);
      }
    }
    for (const note of [...this.notes.values()]) {
      const there = told.some(one => one.id === note.notice.id);
      if (!there && !note.own && !STAY.has(note.notice.reason)) {
        this.remove(note);
        continue;
      }
      this.write(note, now);
      if (document.visibilityState === 'visible' && !note.own) {
        this.session.shown(note.notice.id);
      }
    }
  }

  private put(notice: INotice, own: boolean, choices: readonly Choice[] = []): void {
    const had = this.notes.get(notice.reason);
    if (had?.notice.id === notice.id) {
      had.notice = notice;
      return;
    }
    if (had !== undefined) {
      this.remove(had);
    }
    const note = this.made(notice, own, choices);
    this.notes.set(notice.reason, note);
    this.node.append(note.node);
    const now = this.session.now();
    this.write(note, now);
    this.speaker.say(`${note.title.textContent}. ${note.why.textContent}`);
    if (document.visibilityState !== 'visible' && !own) {
      this.outside(notice, now);
    }
  }

  private made(notice: INotice, own: boolean, choices: readonly Choice[]): INote {
    const node = element('section', 'jp-nbs-note');
    node.dataset.colour = notice.colour;
    node.dataset.reason = notice.reason;
    const title = element('strong');
    const why = element('p');
    const row = element('div', 'jp-nbs-row');
    const close = button(WORDS.dismiss, () => {
      this.dismiss(notice);
    });
    if (notice.reason === 'was_stopped' && this.session.state?.page_url) {
      const link = element('a', 'jp-nbs-link', WORDS.why);
      link.href = this.session.state.page_url;
      link.target = '_blank';
      link.rel = 'noopener';
      row.append(link);
    } else if (!own) {
      row.append(button(WORDS.why, this.actions.openPanel, 'jp-nbs-link'));
    }
    if (!choices.length) {
      row.append(close);
    }
    choices.forEach(([words, act], number) => {
      const kind = number === choices.length - 1 ? 'jp-nbs-button jp-nbs-go' : 'jp-nbs-button';
      const chosen = (): void => {
        this.dismiss(notice);
        void act();
      };
      row.append(button(words, chosen, kind));
    });
    if (notice.keep) {
      row.append(button(notice.keep, () => void this.actions.keep(), 'jp-nbs-button jp-nbs-go'));
    }
    node.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        this.dismiss(notice);
      }
    });
    node.append(title, why, row);
    return { notice, node, title, why, own };
  }

  private write(note: INote, now: number): void {
    const { notice } = note;
    setText(note.title, notice.head.length ? written(notice.head, now) : notice.title);
    const why = notice.body.length ? written(notice.body, now) : notice.why;
    setText(note.why, why);
    setHidden(note.why, why === '');
  }

  private dismiss(notice: INotice): void {
    this.dismissed.add(notice.id);
    const note = this.notes.get(notice.reason);
    if (note !== undefined) {
      this.remove(note);
    }
  }

  private remove(note: INote): void {
    note.node.remove();
    this.notes.delete(note.notice.reason);
    this.outsides.get(note.notice.reason)?.close();
    this.outsides.delete(note.notice.reason);
  }

  /** A notification of the browser; when it was shown, the server is told. */
  private outside(notice: INotice, now: number): void {
    if (!('Notification' in window) || Notification.permission !== 'granted') {
      return;
    }
    const head = notice.head.length ? written(notice.head, now) : notice.title;
    const body = notice.body.length ? written(notice.body, now) : notice.why;
    const made = new Notification(head, { body, tag: `notebooks-${notice.reason}` });
    made.onshow = () => {
      this.session.shown(notice.id);
    };
    made.onclick = () => {
      window.focus();
      made.close();
    };
    this.outsides.set(notice.reason, made);
  }

  private readonly node: HTMLElement;
  private readonly notes = new Map<string, INote>();
  private readonly outsides = new Map<string, Notification>();
  private readonly dismissed = new Set<string>();
}
