/** The items of the status bar: which clock runs, whether it is saved, and what is used of what there is. */

import { Widget } from '@lumino/widgets';

import type { Actions } from './actions';
import { element, setData, setHidden, setIcon, setText } from './dom';
import { clock, written } from './phrase';
import type { Session } from './session';
import { WORDS } from './words';

class Item extends Widget {
  constructor(label: string, click: () => void) {
    super();
    this.addClass('jp-nbs-item');
    this.button.type = 'button';
    this.button.setAttribute('aria-label', label);
    this.icon.className = 'jp-nbs-icon';
    this.button.append(this.icon, this.text, this.action);
    this.button.addEventListener('click', click);
    this.node.append(this.button);
  }

  /** action: underlined words at the end. */
  show_(icon: string, colour: string, text: string, action: string, title: string): void {
    setIcon(this.icon, icon);
    setData(this.node, 'colour', colour);
    setText(this.text, text);
    setText(this.action, action);
    setHidden(this.action, action === '');
    const label = [text, action, title === text ? '' : title].filter(part => part).join('. ');
    if (this.button.getAttribute('aria-label') !== label) {
      this.button.setAttribute('aria-label', label);
      this.button.title = title;
    }
  }

  private readonly button = element('button', 'jp-nbs-plain');
  private readonly icon = element('span');
  private readonly text = element('span');
  private readonly action = element('u');
}

/** The three items; `update` writes what changed. */
export class Status {
  constructor(
    private readonly session: Session,
    private readonly actions: Actions
  ) {
    this.clock = new Item(WORDS.clock, () => {
      const now = this.session.state?.clock;
      if (now?.near && now.keep) {
        void this.actions.keep();
      } else {
        this.actions.openPanel();
      }
    });
    this.saved = new Item(WORDS.snapshots, () => {
      this.actions.openPanel();
    });
    this.use = new Widget();
    this.use.addClass('jp-nbs-item');
    this.use.addClass('jp-nbs-use');
  }

  update(): void {
    const { session } = this;
    const state = session.state;
    if (state === null) {
      return;
    }
    const now = session.now();
    const silent = session.silentSince();
    const { clock: told, saving } = state;
    setHidden(this.clock.node, silent === null && told.bar.length === 0); // it is being stopped
    if (silent !== null) {
      this.clock.show_('circle-question', 'rest', WORDS.away + clock(silent, now), '', WORDS.awayWhy);
    } else {
      const keep = told.near ? told.keep : '';
      this.clock.show_(told.icon, told.colour, written(told.bar, now), keep, written(told.sentence, now));
    }
    this.saved.show_(saving.icon, saving.colour, written(saving.bar, now), '', saving.lines.join(' '));
    this.meters();
  }

  private meters(): void {
    const meters = this.session.state?.meters ?? [];
    while (this.use.node.childElementCount > meters.length) {
      this.use.node.lastElementChild?.remove();
    }
    meters.forEach((meter, number) => {
      let node = this.use.node.children[number] as HTMLElement | undefined;
      if (node === undefined) {
        node = element('span', 'jp-nbs-meter');
        this.use.node.append(node);
      }
      const short = meter.name !== 'disk' && meter.percent !== undefined;
      setText(node, `${meter.label} ${short ? `${meter.percent ?? 0}\u00a0%` : meter.text}`);
      setData(node, 'colour', meter.colour);
      const title = `${meter.label}: ${meter.text}`;
      if (node.title !== title) {
        node.title = title;
      }
    });
  }

  readonly clock: Item;
  readonly saved: Item;
  readonly use: Widget;
}
