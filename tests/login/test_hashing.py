"""Password hashes: salted, telling how they were made, checked in constant time."""

import time

from jupyterhub_notebooks.login import hashing


def test_only_the_password_itself_is_right():
    hashed = hashing.hash_password("correct horse")
    assert hashing.verify("correct horse", hashed)
    for wrong in ("", "Correct horse", "correct horse ", "correct hors", "x" * 5000, "\ud800"):
        assert not hashing.verify(wrong, hashed)


def test_two_hashes_of_one_password_differ():
    assert hashing.hash_password("same") != hashing.hash_password("same")


def test_a_hash_says_how_it_was_made():
    assert hashing.hash_password("x").startswith("scrypt$15$8$3$")


def test_a_hash_that_cannot_be_read_lets_nobody_in():
    for wrong in ("", "plain", "scrypt$99$8$3$eA==$eA==", "scrypt$15$8$3$!$!", "md5$15$8$3$eA==$eA=="):
        assert not hashing.verify("plain", wrong)


def test_a_password_beyond_the_longest_is_wrong_even_where_its_beginning_is_right():
    longest = "a" * hashing.LONGEST_BYTES
    assert hashing.verify(longest, hashing.hash_password(longest))
    assert not hashing.verify(longest + "bb", hashing.hash_password(longest + "bc"))


def test_generated_passwords_have_a_hundred_bits_and_no_look_alikes():
    made = {hashing.generate() for _ in range(200)}
    assert len(made) == 200
    assert not set("".join(made)) & set("01lo")
    assert len(hashing.ALPHABET) ** 20 >= 2**99


def test_a_name_that_does_not_exist_is_checked_against_a_real_hash():
    assert hashing.dummy() is hashing.dummy()
    begin = time.process_time()
    assert not hashing.verify("x", hashing.dummy())
    assert time.process_time() > begin
