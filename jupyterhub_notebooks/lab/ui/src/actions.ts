/** What a person can do, from wherever they do it: status bar, panel, notice, palette. */

import type { Documents } from './documents';
import type { Speaker } from './dom';
import { clock } from './phrase';
import { Refused, type Session } from './session';
import type { IExtended, INotice } from './state';
import { sessionMoved, WORDS } from './words';

export class Actions {
  constructor(
    private readonly session: Session,
    private readonly speaker: Speaker,
    readonly documents: Documents | null
  ) {}

  /** Set by who has a panel and notices. */
  openPanel: () => void = () => undefined;
  complain: (notice: INotice) => void = () => undefined;
  kept: (moved: string) => void = () => undefined;

  /** Moves the deadline that comes first. */
  async keep(): Promise<void> {
    await this.told('keep', async () => {
      const made = await this.session.ask<IExtended>('extend');
      this.kept(made.moved);
      const now = this.session.now();
      const at = made.session_ends_at === undefined ? NaN : Date.parse(made.session_ends_at);
      this.speaker.say(
        made.moved === 'idle' || Number.isNaN(at) ? WORDS.idleMoved : sessionMoved(clock(at, now))
      );
    });
  }

  /** Everything that open editors hold goes to their files, and the files to a snapshot. */
  async save(): Promise<void> {
    this.speaker.say(WORDS.saveAsked);
    await this.told('save', async () => {
      this.documents?.saveAll();
      await this.session.ask('save');
      this.speaker.say(WORDS.saved);
    });
  }

  /** Runs something; what is refused is shown as a notice, in the server's words. */
  async told<T>(what: string, act: () => Promise<T>): Promise<T | null> {
    try {
      return await act();
    } catch (error) {
      const said = error instanceof Refused ? error : new Refused(String(error), '', []);
      const why = [said.why, ...said.next].filter(part => part).join(' ');
      const notice = { id: `refused-${what}`, reason: `refused-${what}`, title: said.title, why, next: [] };
      this.complain({ ...notice, head: [], body: [], keep: '', colour: 'err' });
      return null;
    }
  }
}
