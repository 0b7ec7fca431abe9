/** Open editors: what in them is not in its file, saved every minute and before a stop; read again after a restore. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';

import type { Session } from './session';

const SAVE_MS = 60_000;
const LOOK_MS = 5_000;

export class Documents {
  constructor(
    private readonly shell: JupyterFrontEnd.IShell,
    private readonly manager: IDocumentManager,
    private readonly session: Session
  ) {
    window.setInterval(this.look, LOOK_MS);
    window.setInterval(() => {
      this.saveAll();
    }, SAVE_MS);
    session.onChange(() => {
      const stops = session.state?.phase === 'saving';
      if (stops && !this.stopping) {
        this.saveAll();
      }
      this.stopping = stops;
    });
  }

  /** Saves every document that has changes and may be saved. */
  saveAll(): void {
    for (const context of this.contexts()) {
      const mayBe = context.isReady && !context.model.readOnly && context.contentsModel?.writable !== false;
      if (context.model.dirty && mayBe && !this.saving.has(context)) {
        this.saving.add(context);
        // What a save says is the document's own matter: JupyterLab shows it.
        void context
          .save()
          .catch(() => undefined)
          .finally(() => {
            this.saving.delete(context);
            this.look();
          });
      }
    }
  }

  /** Open editors of a path, or of what lies below it, show what is in the file now. */
  async revert(path: string): Promise<void> {
    for (const context of this.contexts()) {
      const at = context.localPath;
      if ((at === path || at.startsWith(`${path}/`)) && !context.model.collaborative) {
        await context.revert();
      }
    }
  }

  private contexts(): Set<DocumentRegistry.Context> {
    const found = new Set<DocumentRegistry.Context>();
    for (const widget of this.shell.widgets('main')) {
      const context = this.manager.contextForWidget(widget);
      if (context !== undefined) {
        found.add(context);
      }
    }
    return found;
  }

  private readonly look = (): void => {
    const dirty: string[] = [];
    for (const context of this.contexts()) {
      if (!this.followed.has(context)) {
        this.followed.add(context);
        context.model.stateChanged.connect((_, change) => {
          if (change.name === 'dirty') {
            this.look();
          }
        });
      }
      if (context.isReady && context.model.dirty) {
        dirty.push(context.localPath);
      }
    }
    this.session.unsaved = dirty.sort();
  };

  private readonly followed = new WeakSet<DocumentRegistry.Context>();
  private readonly saving = new Set<DocumentRegistry.Context>();
  private stopping = false;
}
