"""The same through the Hub's REST API; what we put into a workspace is made anew; ways to end it all."""

import json
import shutil
import signal

import psutil
import pytest

from tests.processes import command

from .product import until

PUT_IN = (".workspace.initialized", ".venv-3.11", ".local/share/jupyter/kernels/python3")


def files_of(product):
    return product.state / "volumes" / product.sessions()[0]["notebook"] / "files"


def removed(path):
    assert path.exists(), path
    shutil.rmtree(path) if path.is_dir() else path.unlink()


async def test_the_hub_s_rest_api_starts_saves_and_brings_back(product):
    person = product.add_user("scripted")
    person.start()
    assert await person.run("open('made.txt','w').write('x'*1000); print('written')") == "written\n"
    assert (files_of(product) / "made.txt").stat().st_mode & 0o777 == 0o644
    person.stop()
    session = product.sessions()[0]
    assert (session["cause"], bool(session["closed_at"])) == ("stopped", True)
    shutil.rmtree(product.state / "volumes" / session["notebook"])
    person.start()
    assert await person.run("print(len(open('made.txt').read()))") == "1000\n"
    person.stop()
    why = json.loads(product.command("session", "why", "scripted/-", "--json").stdout)
    assert why["stop"]["cause"] == "stopped"
    store = f"file://{product.state}/store/workspaces/{session['workspace']}"
    listed = product.command("workspace", "list", "--store", store).stdout
    assert "made.txt" in listed or "1" in listed
    product.command("workspace", "check", "--store", store)
    assert "session.ended" in product.command("ledger", "audit").stdout


@pytest.mark.parametrize("while_running", [True, False], ids=["while running", "while stopped"])
async def test_what_we_put_into_a_workspace_is_made_anew_and_said(product, while_running):
    person = product.add_user("healer-running" if while_running else "healer-stopped")
    person.start()
    await person.run("open('own.txt','w').write('mine')")
    files = files_of(product)
    if while_running:
        for name in PUT_IN:
            removed(files / name)
        person.stop()
    else:
        person.stop()
        for name in PUT_IN:
            removed(files / name)
    person.start()
    assert await person.run("print(open('own.txt').read())") == "mine\n"
    said = " ".join(product.sessions()[0]["made_anew"] or [])
    for word in (".workspace.initialized", ".venv-3.11", "kernel"):
        assert word in said
    person.stop()


async def test_an_interrupt_saves_running_notebooks_and_leaves_nothing(own_product):
    product = own_product.start()
    person = product.admin()
    person.start()
    await person.run("open('late.txt','w').write('typed just now')")
    product.interrupt()
    assert product.process.returncode == 0, product.output
    assert product.processes() == []
    session = product.sessions()[0]
    assert session["closed_at"]
    shutil.rmtree(product.state / "volumes" / session["notebook"])
    product.start()
    person.start()
    assert await person.run("print(open('late.txt').read())") == "typed just now\n"


def services(product):
    """How many processes there are of each part."""
    lines = [" ".join(one.cmdline()) for one in product.processes()]
    words = (
        "jupyterhub_notebooks.services.agents",
        "jupyterhub_notebooks.services.notebooks",
        "configurable-http-proxy",
    )
    return {word: sum(word in line and " run " not in line for line in lines) for word in words}


async def test_a_notebook_is_adopted_after_the_hub_was_killed(own_product):
    product = own_product.start()
    person = product.admin()
    person.start()
    before = person.server()["started"]
    for one in product.processes():
        said = command(one)
        if "jupyterhub" in " ".join(said[:4]) and any("jupyterhub_config" in word for word in said):
            one.kill()
    product.process.send_signal(signal.SIGKILL)
    product.process.wait()
    agents = [one for one in product.processes() if "jupyterhub_notebooks.agent" in " ".join(command(one))]
    assert agents
    product.start()
    until(lambda: (person.server() or {}).get("ready"), 60, what="the adopted server")
    assert person.server()["started"] == before
    assert all(psutil.pid_exists(one.pid) for one in agents)
    assert await person.run("print('still here')") == "still here\n"
    assert set(services(product).values()) == {1}, services(product)
    person.stop()
    assert product.sessions()[0]["cause"] == "stopped"
