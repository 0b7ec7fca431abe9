/** The snapshots of the workspace in the panel: what was saved when, its folders, and files brought back. */

import { Dialog, showDialog } from '@jupyterlab/apputils';

import type { Actions } from './actions';
import { button, element, setText } from './dom';
import { clock, size } from './phrase';
import type { Session } from './session';
import type { IEntry, IRestored, ISnapshot } from './state';
import { broughtBack, fileCount, replaceQuestion, replaceWhy, WORDS } from './words';

const SHOWN = 8;
/** After what time a list that could not be read is asked for again: at first, and at most. */
const AGAIN_MS = 5_000;
const MOST_MS = 300_000;

export class SnapshotList {
  constructor(
    private readonly session: Session,
    private readonly actions: Actions,
    private readonly say: (text: string) => void
  ) {
    this.node.append(this.list);
  }

  /** Reads the list where a newer save is known, or it was never read; ever more rarely while it cannot be had. */
  update(visible: boolean): void {
    const newest = this.session.state?.saved.number ?? 0;
    if (visible && newest !== this.read && performance.now() >= this.notBefore) {
      this.read = newest;
      void this.load();
    }
  }

  readonly node = element('div');
  /** How many there are, for the heading. */
  readonly count = element('span', 'jp-nbs-end');

  private async load(): Promise<void> {
    try {
      const got = await this.session.ask<{ snapshots: ISnapshot[]; count: number }>('snapshots');
      setText(this.count, String(got.count));
      this.list.replaceChildren(...got.snapshots.slice(0, SHOWN).map(one => this.row(one)));
      if (!got.snapshots.length) {
        this.list.append(element('li', 'jp-nbs-muted', WORDS.noSnapshots));
      }
      this.wait = AGAIN_MS;
    } catch {
      this.read = -1; // asked again by a later update
      this.notBefore = performance.now() + this.wait;
      this.wait = Math.min(3 * this.wait, MOST_MS);
      if (!this.list.childElementCount) {
        this.list.append(element('li', 'jp-nbs-muted', WORDS.noList));
      }
    }
  }

  private row(one: ISnapshot): HTMLElement {
    const node = element('li');
    const time = clock(Date.parse(one.at), this.session.now());
    const look = button(WORDS.look, () => void this.look(one, ''), 'jp-nbs-link');
    look.setAttribute('aria-label', `${WORDS.look}: ${time}`);
    const what = one.kind === 'save' ? fileCount(one.files) : one.kind;
    node.append(
      element('span', '', time),
      element('span', 'jp-nbs-muted', `${what}, ${size(one.size_bytes)}`),
      look
    );
    return node;
  }

  private async look(one: ISnapshot, path: string): Promise<void> {
    const time = clock(Date.parse(one.at), this.session.now());
    const head = element('li', 'jp-nbs-path');
    const back = button(
      path === '' ? WORDS.back : WORDS.up,
      () => {
        if (path === '') {
          void this.load().then(() => this.list.querySelector('button')?.focus());
        } else {
          void this.look(one, path.slice(0, Math.max(0, path.lastIndexOf('/'))));
        }
      },
      'jp-nbs-link'
    );
    head.append(back, element('span', 'jp-nbs-muted', `${time} / ${path}`));
    const got = await this.actions.told('look', () =>
      this.session.ask<{ entries: IEntry[]; more: boolean }>('list', { number: one.number, path })
    );
    if (got === null) {
      return;
    }
    const rows = got.entries.map(entry => this.entry(one, path, entry));
    if (!rows.length) {
      rows.push(element('li', 'jp-nbs-muted', WORDS.nothing));
    }
    if (got.more) {
      rows.push(element('li', 'jp-nbs-muted', WORDS.more));
    }
    this.list.replaceChildren(head, ...rows);
    back.focus();
  }

  private entry(one: ISnapshot, folder: string, entry: IEntry): HTMLElement {
    const node = element('li');
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    const isFolder = entry.kind === 'directory';
    const name = isFolder
      ? button(`${entry.name}/`, () => void this.look(one, path), 'jp-nbs-link jp-nbs-name')
      : element('span', 'jp-nbs-name', entry.name);
    name.title = isFolder ? path : `${path}, ${size(entry.size)}`;
    const restore = button(WORDS.restore, () => void this.restore(one, path), 'jp-nbs-link');
    restore.setAttribute('aria-label', `${WORDS.restore} ${path}`);
    const copy = button(WORDS.copy, () => void this.bring(one, path, true), 'jp-nbs-link');
    copy.setAttribute('aria-label', `${WORDS.copy} ${path}`);
    node.append(name, restore, copy);
    return node;
  }

  private async restore(one: ISnapshot, path: string): Promise<void> {
    const time = clock(Date.parse(one.at), this.session.now());
    const answer = await showDialog({
      title: replaceQuestion(path),
      body: replaceWhy(time),
      buttons: [
        Dialog.cancelButton({ label: WORDS.cancel }),
        Dialog.okButton({ label: WORDS.copy }),
        Dialog.warnButton({ label: WORDS.restore })
      ],
      defaultButton: 1
    });
    if (answer.button.accept) {
      await this.bring(one, path, answer.button.label === WORDS.copy);
    }
  }

  private async bring(one: ISnapshot, path: string, copy: boolean): Promise<void> {
    this.say(WORDS.restoring);
    const documents = this.actions.documents;
    const got = await this.actions.told('restore', () =>
      this.session.ask<IRestored>('restore', { number: one.number, path, copy })
    );
    this.say(got === null ? '' : broughtBack(got.path));
    if (got !== null && !copy) {
      await documents?.revert(path);
    }
  }

  private readonly list = element('ul', 'jp-nbs-list');
  private read = -1;
  private wait = AGAIN_MS;
  private notBefore = 0;
}
