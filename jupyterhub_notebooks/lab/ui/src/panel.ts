/** The panel beside the documents: clock, saves, snapshots, what is used, and on what evidence. */

import { Widget } from '@lumino/widgets';

import type { Actions } from './actions';
import { button, element, setData, setHidden, setText, shapeOf, type Speaker } from './dom';
import { written } from './phrase';
import type { Session } from './session';
import { SnapshotList } from './snapshots';
import type { IMeter } from './state';
import { WORDS } from './words';

interface ISection {
  heading: HTMLElement;
  end: HTMLElement;
  body: HTMLElement;
}

export class Panel extends Widget {
  constructor(
    private readonly session: Session,
    private readonly actions: Actions,
    speaker: Speaker
  ) {
    super();
    this.addClass('jp-nbs-panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', WORDS.panel);
    this.snapshots = new SnapshotList(session, actions, text => {
      setText(this.brought, text);
      setHidden(this.brought, text === '');
      speaker.say(text);
    });
    this.name = this.section('', '');
    this.clock = this.section(WORDS.clock);
    this.saved = this.section(WORDS.saved);
    const list = this.section(WORDS.snapshots);
    this.use = this.section(WORDS.use);
    this.keep = button('', () => void actions.keep(), 'jp-nbs-button jp-nbs-go');
    this.save = button(WORDS.saveNow, () => void this.saveNow());
    const why = element('details', 'jp-nbs-why');
    why.append(element('summary', '', WORDS.why), this.evidence);
    this.clock.body.append(this.title_, this.sentence, this.row(this.keep), this.detail, why, this.notify);
    this.bar.append(this.filled);
    this.bar.setAttribute('role', 'progressbar');
    this.bar.setAttribute('aria-label', WORDS.saveAsked);
    this.saved.body.append(this.bar, this.lines, this.unsaved, this.row(this.save));
    list.heading.after(this.snapshots.count);
    list.end.remove();
    list.body.append(this.snapshots.node, this.brought, this.page);
    this.page.target = '_blank';
    this.page.rel = 'noopener';
    setHidden(this.brought, true);
    this.askFirst();
  }

  /** Writes what changed; nothing while it is not seen. */
  update_(): void {
    const { session } = this;
    const state = session.state;
    if (state === null || !this.isVisible) {
      return;
    }
    const now = session.now();
    const { clock, saving } = state;
    setText(this.name.heading, state.title || WORDS.panel);
    setText(this.name.end, state.profile);
    setText(this.clock.end, clock.badge);
    setText(this.title_, written(clock.title, now));
    setData(this.title_, 'colour', clock.near ? 'wait' : 'rest');
    setText(this.sentence, written(clock.sentence, now));
    setText(this.detail, written(clock.detail, now));
    setText(this.keep, clock.keep);
    setHidden(this.keep, clock.keep === '');
    this.keep.classList.toggle('jp-nbs-go', clock.near);
    setText(this.saved.heading, saving.heading);
    setData(this.saved.heading, 'colour', saving.colour);
    setText(this.saved.end, written(saving.end, now));
    setText(this.lines, saving.lines.join('\n'));
    this.progress(saving.percent);
    setHidden(this.save, state.phase === 'saving' || state.phase === 'ended'); // a stop saves by itself
    const unsaved = session.unsaved.join(', ');
    setText(this.unsaved, unsaved ? `${WORDS.unsaved}: ${unsaved}` : '');
    setHidden(this.unsaved, unsaved === '');
    this.meters(state.meters);
    this.signals();
    setHidden(this.page, state.page_url === '');
    setText(this.page, WORDS.allSnapshots);
    if (this.page.href !== state.page_url && state.page_url) {
      this.page.href = state.page_url;
    }
    this.snapshots.update(true);
  }

  protected onAfterShow(): void {
    this.update_();
  }

  private section(heading: string, end = ''): ISection {
    const head = element('div', 'jp-nbs-head');
    const made = { heading: element('h2', '', heading), end: element('span', 'jp-nbs-end', end) };
    const body = element('div', 'jp-nbs-body');
    head.append(made.heading, made.end);
    this.node.append(head, body);
    if (!heading) {
      body.remove();
    }
    return { ...made, body };
  }

  private row(...nodes: HTMLElement[]): HTMLElement {
    const made = element('div', 'jp-nbs-row');
    made.append(...nodes);
    return made;
  }

  private async saveNow(): Promise<void> {
    this.save.disabled = true;
    setText(this.save, WORDS.saveAsked);
    await this.actions.save();
    setText(this.save, WORDS.saveNow);
    this.save.disabled = false;
  }

  private progress(percent: number | undefined): void {
    setHidden(this.bar, percent === undefined);
    const value = percent ?? 0;
    this.filled.style.width = `${value}%`;
    this.bar.setAttribute('aria-valuenow', String(value));
    this.bar.setAttribute('aria-valuemin', '0');
    this.bar.setAttribute('aria-valuemax', '100');
  }

  private meters(meters: readonly IMeter[]): void {
    const key = JSON.stringify(meters);
    if (key === this.metersKey) {
      return;
    }
    this.metersKey = key;
    this.use.body.replaceChildren(
      ...meters.map(meter => {
        const node = element('div', 'jp-nbs-gauge');
        const label = element('span', 'jp-nbs-muted', `${meter.label}: ${meter.text}`);
        node.append(label);
        if (meter.percent !== undefined) {
          const bar = element('div', 'jp-nbs-bar');
          const filled = element('span');
          filled.style.width = `${Math.min(100, meter.percent)}%`;
          bar.dataset.colour = meter.colour;
          bar.setAttribute('role', 'meter');
          bar.setAttribute('aria-label', meter.label);
          bar.setAttribute('aria-valuemin', '0');
          bar.setAttribute('aria-valuemax', '100');
          bar.setAttribute('aria-valuenow', String(Math.min(100, meter.percent)));
          bar.setAttribute('aria-valuetext', meter.text);
          bar.append(filled);
          node.append(bar);
        }
        return node;
      })
    );
  }

  private signals(): void {
    const told = this.session.state?.signals ?? [];
    const key = told.map(one => `${one.state}: ${one.detail}`).join('\n');
    if (key !== this.signalsKey) {
      this.signalsKey = key;
      this.evidence.replaceChildren(
        ...told.map(one => {
          const node = element('li', '', one.detail);
          node.dataset.state = one.state;
          return node;
        })
      );
    }
  }

  /** Browsers ask a person only after a click. */
  private askFirst(): void {
    this.notify.replaceChildren();
    if (!('Notification' in window) || Notification.permission === 'denied') {
      return;
    }
    if (Notification.permission === 'granted') {
      this.notify.append(element('span', 'jp-nbs-muted', WORDS.notified));
      return;
    }
    this.notify.append(
      button(
        WORDS.notify,
        () => {
          void Notification.requestPermission().then(answer => {
            this.askFirst();
            if (answer === 'denied') {
              this.notify.append(element('span', 'jp-nbs-muted', WORDS.refused));
            }
          });
        },
        'jp-nbs-link'
      )
    );
  }

  private readonly snapshots: SnapshotList;
  private readonly name: ISection;
  private readonly clock: ISection;
  private readonly saved: ISection;
  private readonly use: ISection;
  private readonly keep: HTMLButtonElement;
  private readonly save: HTMLButtonElement;
  private readonly title_ = element('span', 'jp-nbs-big');
  private readonly sentence = element('span');
  private readonly detail = element('span', 'jp-nbs-muted');
  private readonly evidence = element('ul', 'jp-nbs-evidence');
  private readonly notify = element('div');
  private readonly lines = element('span', 'jp-nbs-muted jp-nbs-lines');
  private readonly unsaved = element('span', 'jp-nbs-muted');
  private readonly bar = element('div', 'jp-nbs-bar');
  private readonly filled = element('span');
  private readonly brought = element('p', 'jp-nbs-muted');
  private readonly page = element('a', 'jp-nbs-link');
  private metersKey = '';
  private signalsKey = '';
}

/** The panel's tab: the icon of the clock, in JupyterLab's colours. */
export function panelIcon(): string {
  const shape = `<g class="jp-icon3" fill="#616161">${shapeOf('hourglass-half')}</g>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">${shape}</svg>`;
}
