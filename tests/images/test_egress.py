"""Rules and configuration of a restricted network, as text; tests/spawners/docker/test_egress.py tries them in one."""

import importlib.util
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "images" / "notebook-egress"
spec = importlib.util.spec_from_file_location("rules", FOLDER / "rules.py")
rules = sys.modules["rules"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rules)
walls_spec = importlib.util.spec_from_file_location("egress_walls", FOLDER / "walls.py")
walls = importlib.util.module_from_spec(walls_spec)
walls_spec.loader.exec_module(walls)


def test_what_is_reached_by_address_are_services_storage_and_ports_that_no_web_proxy_speaks():
    given = rules.Given(direct=["10.0.0.1:8081"], hosts=["a", "*.b", "c:443", "d:5432", "*.e:5432"])
    assert rules.by_address(given) == [("10.0.0.1", 8081), ("d", 5432)]


def test_the_machine_s_own_credentials_are_refused_before_anything_is_accepted_but_names():
    lines = rules.filter_table(["10.0.0.0/8"], [("10.0.0.1", 8081)]).splitlines()
    assert ":OUTPUT DROP [0:0]" in lines and lines[-1] == "COMMIT"
    refused = lines.index("-A OUTPUT -d 169.254.0.0/16 -j REJECT")
    accepted = [
        n for n, line in enumerate(lines) if line.endswith("ACCEPT") and "OUTPUT" in line and n < refused
    ]
    assert all(
        "dport 53 -m owner --uid-owner 0" in lines[n] or "127.0.0.11" in lines[n] or "-o lo" in lines[n]
        for n in accepted
    )
    assert "-A BY-ADDRESS -d 10.0.0.1/32 -p tcp --dport 8081 -j ACCEPT" in lines


@pytest.mark.skipif(shutil.which("squid") is None, reason="squid is not on this machine; its image has it")
def test_squid_takes_its_configuration(tmp_path):
    path = tmp_path / "squid.conf"
    path.write_text(rules.squid(["a.example.org", "*.b.example.org", "c:5432"], str(tmp_path)))
    assert subprocess.run(["squid", "-k", "parse", "-f", str(path)]).returncode == 0


def test_a_host_without_a_port_is_the_web_and_one_with_a_port_is_that_one():
    lines = rules.squid(["a.example.org", "*.b.example.org", "c:5432"], "/x").splitlines()
    assert "http_access allow host0 web" in lines and "acl web port 80 443" in lines
    assert r"acl host1 dstdom_regex -n -i \.b\.example\.org$" in lines
    assert "acl port2 port 5432" in lines and "http_access allow host2 port2" in lines
    assert lines[-1] == "http_access deny all"


def test_names_are_asked_and_answers_of_another_question_are_not_taken():
    asked = rules.question(7, "a.example.org")
    assert asked.endswith(b"\x01a\x07example\x03org\x00\x00\x01\x00\x01")
    body = asked[12:] + b"\xc0\x0c" + struct.pack(">2HIH", 1, 1, 60, 4) + bytes([10, 1, 2, 3])
    said = struct.pack(">6H", 7, 0x8180, 1, 1, 0, 0) + body
    assert rules.answered(7, said) == ["10.1.2.3"]
    for wrong in (said[:20], said[:11], struct.pack(">6H", 8, 0x8180, 1, 1, 0, 0) + body):
        with pytest.raises(ValueError, match="answer"):
            rules.answered(7, wrong)


def test_the_engine_s_own_names_stay_and_ours_are_added():
    own = "127.0.0.1 localhost\n10.0.0.9 db.example.org # given\n"
    assert rules.names_in(own) == {"localhost": ["127.0.0.1"], "db.example.org": ["10.0.0.9"]}
    assert rules.hosts_file(own, {"s3": ["10.1.1.1", "10.1.1.2"]}).splitlines()[-2:] == [
        "10.1.1.1\ts3",
        "10.1.1.2\ts3",
    ]


def test_addresses_are_looked_up_anew_and_a_name_that_nobody_answers_keeps_what_it_had(tmp_path, monkeypatch):
    tables, answers = [], {"db.example.net": ["10.1.1.1"]}
    monkeypatch.setattr(walls, "HOSTS", tmp_path / "hosts")
    monkeypatch.setattr(walls, "restore", lambda program, table, *more: tables.append((program, table)) or "")
    monkeypatch.setattr(walls, "looked_up", lambda host, own: answers.get(host, []))
    one = walls.Walls(
        rules.Given(hosts=["db.example.net:5432"], networks=["10.9.0.0/16"]), "127.0.0.1 localhost\n"
    )
    one.raise_()
    first, last = tables[0][1], tables[-1][1]
    assert "10.9.0.0/16" not in first and "-A OUTPUT -d 10.9.0.0/16 -j ACCEPT" in last
    assert "-A BY-ADDRESS -d 10.1.1.1/32 -p tcp --dport 5432 -j ACCEPT" in last
    assert "10.1.1.1\tdb.example.net" in (tmp_path / "hosts").read_text()
    answers["db.example.net"] = ["10.1.1.2"]
    one.look_up()
    assert "10.1.1.2/32" in tables[-1][1] and "10.1.1.1/32" not in tables[-1][1]
    assert (tmp_path / "hosts").read_text().splitlines() == [
        "127.0.0.1 localhost",
        "10.1.1.2\tdb.example.net",
    ]
    made = len(tables)
    answers.clear()
    one.look_up()
    assert len(tables) == made and "10.1.1.2" in (tmp_path / "hosts").read_text()


def test_a_network_whose_rules_cannot_be_set_is_said_and_nothing_starts(monkeypatch):
    monkeypatch.setattr(walls, "restore", lambda program, table, *more: "iptables: Permission denied")
    with pytest.raises(SystemExit, match="could not be restricted: iptables: Permission denied"):
        walls.Walls(rules.Given(), "").raise_()
