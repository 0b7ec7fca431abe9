/** The extension: everything made once, and written anew when the state or the time asks for it. */

import { ILabShell, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IStatusBar } from '@jupyterlab/statusbar';
import { LabIcon } from '@jupyterlab/ui-components';

import { Actions } from './actions';
import { Documents } from './documents';
import { Speaker } from './dom';
import { Notes } from './notes';
import { Panel, panelIcon } from './panel';
import { isUrgent } from './phrase';
import { Session } from './session';
import { Status } from './status';
import { Trust } from './trust';
import { Variables } from './variables';
import { WORDS } from './words';

const ID = 'jupyterhub-notebooks:session';
const PANEL = 'jupyterhub-notebooks-panel';
/** Ages and times left are written anew this often; each second in the last two minutes. */
const SLOW_MS = 10_000;
const FAST_MS = 1_000;

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'The session’s clocks, saves and snapshots',
  autoStart: true,
  optional: [IStatusBar, ICommandPalette, IDocumentManager, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    statusBar: IStatusBar | null,
    palette: ICommandPalette | null,
    manager: IDocumentManager | null,
    lab: ILabShell | null
  ) => {
    const session = new Session();
    void app.restored
      .then(() => session.start())
      .then(there => {
        if (there) {
          show(app, session, statusBar, palette, manager, lab);
        }
      });
  }
};

function show(
  app: JupyterFrontEnd,
  session: Session,
  statusBar: IStatusBar | null,
  palette: ICommandPalette | null,
  manager: IDocumentManager | null,
  lab: ILabShell | null
): void {
  const speaker = new Speaker();
  const documents = manager === null ? null : new Documents(app.shell, manager, session);
  const actions = new Actions(session, speaker, documents);
  const notes = new Notes(session, actions, speaker);
  const status = new Status(session, actions);
  const panel = new Panel(session, actions, speaker);
  panel.id = PANEL;
  panel.title.caption = WORDS.panel;
  panel.title.icon = new LabIcon({ name: 'jupyterhub-notebooks:clock', svgstr: panelIcon() });
  app.shell.add(panel, 'right', { rank: 950, type: WORDS.panel });
  actions.openPanel = () => {
    app.shell.activateById(panel.id);
  };
  if (statusBar !== null) {
    const right = { align: 'right' as const };
    statusBar.registerStatusItem(`${ID}-clock`, { ...right, item: status.clock, rank: 100 });
    statusBar.registerStatusItem(`${ID}-saved`, { ...right, item: status.saved, rank: 99 });
    statusBar.registerStatusItem(`${ID}-use`, { ...right, item: status.use, rank: 98 });
  }
  register(app, actions, palette);
  if (manager !== null) {
    const trust = new Trust(app.shell, manager);
    lab?.layoutModified.connect(trust.look);
    trust.look();
  }
  void new Variables(session, actions, notes, speaker, app.serviceManager, manager).offer();

  const update = (): void => {
    if (document.visibilityState === 'visible') {
      status.update();
      panel.update_();
    }
    notes.update();
  };
  const tick = (): void => {
    update();
    const state = session.state;
    const parts = state === null ? [] : [...state.clock.bar, ...state.notices.flatMap(one => one.head)];
    const fast = document.visibilityState === 'visible' && isUrgent(parts, session.now());
    window.setTimeout(tick, fast ? FAST_MS : SLOW_MS);
  };
  session.onChange(update);
  lab?.layoutModified.connect(update);
  document.addEventListener('visibilitychange', update);
  tick();
}

function register(app: JupyterFrontEnd, actions: Actions, palette: ICommandPalette | null): void {
  const commands = {
    'jupyterhub-notebooks:keep-working': [WORDS.keepWorking, () => actions.keep()],
    'jupyterhub-notebooks:save': [WORDS.saveNow, () => actions.save()],
    'jupyterhub-notebooks:panel': [
      WORDS.snapshots,
      async () => {
        actions.openPanel();
        await Promise.resolve();
      }
    ]
  } as const;
  for (const [command, [words, execute]] of Object.entries(commands)) {
    app.commands.addCommand(command, { label: `${WORDS.panel}: ${words}`, execute });
    palette?.addItem({ command, category: WORDS.panel });
  }
}

export default plugin;
