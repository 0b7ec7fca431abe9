/** Variables that were kept before a stop: offered once at the start, brought back into a kernel of the same notebook. */

import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { ServiceManager } from '@jupyterlab/services';

import type { Actions } from './actions';
import type { Speaker } from './dom';
import type { Notes } from './notes';
import { size } from './phrase';
import type { Session } from './session';
import { lostWords, variablesBack, variablesTitle, variablesWhy, WORDS } from './words';

const KERNEL_MS = 60_000;
const LOOK_MS = 250;

interface ILost {
  name: string;
  why: string;
}

interface IOffer {
  id: string;
  notebook: string;
  saved_at: string;
  saved: { name: string }[];
  lost: ILost[];
  size_bytes: number;
}

export class Variables {
  constructor(
    private readonly session: Session,
    private readonly actions: Actions,
    private readonly notes: Notes,
    private readonly speaker: Speaker,
    private readonly services: ServiceManager.IManager,
    private readonly manager: IDocumentManager | null
  ) {}

  /** Looks once what there is to bring back. */
  async offer(): Promise<void> {
    const got = await this.session.get<{ offers: IOffer[] }>('variables').catch(() => null);
    for (const one of got?.offers ?? []) {
      if (one.notebook !== '' && one.saved.length > 0) {
        this.show(one);
      }
    }
  }

  private show(offer: IOffer): void {
    const count = offer.saved.length;
    const lost = offer.lost.map(one => lostWords(one.name, one.why)).join(', ');
    const id = `variables-${offer.id}`;
    this.notes.own(
      {
        id,
        reason: id,
        title: variablesTitle(offer.notebook),
        why: variablesWhy(count, count + offer.lost.length, size(offer.size_bytes), lost),
        next: [],
        head: [],
        body: [],
        keep: '',
        colour: 'work'
      },
      [
        [WORDS.notNow, () => undefined],
        [variablesBack(count), () => this.bring(offer)]
      ]
    );
  }

  private async bring(offer: IOffer): Promise<void> {
    const done = await this.actions.told('variables', async () => {
      const kernel = await this.kernelOf(offer.notebook);
      this.speaker.say(WORDS.restoring);
      const body = { id: offer.id, kernel };
      const got = await this.session.send_<{ back: string[]; lost: ILost[] }>('variables', body);
      const lost = got.lost.map(one => lostWords(one.name, one.why)).join(', ');
      this.speaker.say(variablesWhy(got.back.length, offer.saved.length, '', lost));
      return true;
    });
    if (done === null) {
      this.show(offer); // beside why it was refused: they are kept as they were
    }
  }

  /** The kernel of a notebook that is open, or is opened for it. */
  private async kernelOf(path: string): Promise<string> {
    this.manager?.openOrReveal(path);
    const end = performance.now() + KERNEL_MS;
    for (;;) {
      await this.services.sessions.refreshRunning();
      for (const model of this.services.sessions.running()) {
        if (model.path === path && model.kernel) {
          return model.kernel.id; // the server waits while it starts
        }
      }
      if (performance.now() > end) {
        throw new Error(WORDS.noKernel);
      }
      await new Promise(done => window.setTimeout(done, LOOK_MS));
    }
  }
}
