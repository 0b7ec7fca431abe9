/**
 * What a cell shows after it was run here is trusted, as JupyterLab does it where it runs cells itself: else a widget or
 * a plot of a notebook that came from elsewhere would stay text. Only running a cell does that, never opening a file.
 */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';

/** What is needed of a notebook's model, which is no part of any package that this extension has. */
interface ICell {
  readonly type: string;
  readonly executionState?: string;
  trusted: boolean;
  readonly stateChanged: { connect(slot: () => void): boolean };
}

interface ICells extends Iterable<ICell> {
  readonly changed: { connect(slot: () => void): boolean };
}

export class Trust {
  constructor(
    private readonly shell: JupyterFrontEnd.IShell,
    private readonly manager: IDocumentManager
  ) {}

  /** Follows notebooks that were opened since. */
  readonly look = (): void => {
    for (const widget of this.shell.widgets('main')) {
      const context = this.manager.contextForWidget(widget);
      if (context !== undefined && !this.followed.has(context)) {
        this.followed.add(context);
        void context.ready.then(() => {
          this.follow((context.model as unknown as { cells?: ICells }).cells);
        });
      }
    }
  };

  private follow(cells: ICells | undefined): void {
    if (cells === undefined) {
      return; // no notebook
    }
    const each = (): void => {
      for (const cell of cells) {
        if (cell.type === 'code' && !this.followed.has(cell)) {
          this.followed.add(cell);
          const ran = (): void => {
            if (cell.executionState === 'running' && !cell.trusted) {
              cell.trusted = true;
            }
          };
          cell.stateChanged.connect(ran);
          ran();
        }
      }
    };
    cells.changed.connect(each);
    each();
  }

  private readonly followed = new WeakSet();
}
