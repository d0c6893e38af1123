"""Keys, digests, time windows and AES, against the vectors of their RFCs and of NIST."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabuah.errors import DecodeError, TabuahError
from tabuah.snmp import aes, usm
from tabuah.snmp.usm import Auth, EngineTime, Level, PeerClock, UsmUser
from tests.support.snmp_ends import KU, user

ENGINE = bytes(11) + b"\x02"
# RFC 3414 A.3.2 for SHA-1; SHA-256 after RFC 7860, computed by other implementations.
VECTORS = {
    Auth.SHA1_96: "6695febc9288e36282235fc7151f128497b38f3f",
    Auth.SHA256_192: "8982e0e549e866db361a6b625d84cccc11162d453ee8ce3a6445c2d6776f0f8b",
}
BOTH = pytest.mark.parametrize("auth", list(Auth), ids=lambda auth: auth.name)


@BOTH
def test_maplesyrup_gives_the_published_key(auth: Auth) -> None:
    ku = usm.password_to_key(b"maplesyrup", auth)
    assert usm.localise(ku, ENGINE, auth).hex() == VECTORS[auth]
    built = UsmUser.from_ku("office", auth, ku, ku, ENGINE)
    assert built.auth_key.hex() == VECTORS[auth]
    assert built.priv_key == built.auth_key[:16]


def test_the_key_of_maplesyrup_before_localisation_is_that_of_the_rfc() -> None:
    ku = usm.password_to_key(b"maplesyrup", Auth.SHA1_96)
    assert ku.hex() == "9fb5cc0381497b3793528939ff788d5d79145211"


@BOTH
@pytest.mark.parametrize("length", [1, 7, 65535, 65537, 1024 * 1024 + 3])
def test_a_password_of_any_length_is_repeated_to_one_mebibyte(auth: Auth, length: int) -> None:
    password = bytes(octet % 251 for octet in range(length))
    repeated = (password * (1024 * 1024 // length + 1))[: 1024 * 1024]
    assert usm.password_to_key(password, auth) == hashlib.new(auth.hash_name, repeated).digest()


def test_an_empty_password_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        usm.password_to_key(b"", Auth.SHA1_96)


@given(st.binary(min_size=32, max_size=300), st.sampled_from(Auth))
def test_a_digest_is_the_hmac_over_the_message_with_zeros_in_its_place(
    message: bytes, auth: Auth
) -> None:
    one = user(auth)
    zeroed = message[:4] + bytes(auth.mac_length) + message[4 + auth.mac_length :]
    expected = hmac.digest(one.auth_key, zeroed, auth.hash_name)[: auth.mac_length]
    assert one.mac(message, 4) == expected
    assert one.verifies(message, 4, expected)
    assert not one.verifies(message, 4, expected[:-1])
    assert not one.verifies(message, 4, b"")
    assert not one.verifies(message, 4, bytes(auth.mac_length))


def test_a_user_never_shows_its_keys() -> None:
    shown = repr(user())
    assert user().auth_key.hex() not in shown
    assert repr(user().auth_key) not in shown
    assert repr(user().priv_key) not in shown


@pytest.mark.parametrize(
    ("auth", "auth_key", "priv_key"),
    [
        (None, b"k" * 20, b""),
        (None, b"", b"k" * 16),
        (Auth.SHA1_96, b"", b""),
        (Auth.SHA1_96, b"k" * 20, b"k" * 20),
    ],
)
def test_a_user_with_keys_that_do_not_fit_is_refused(
    auth: Auth | None, auth_key: bytes, priv_key: bytes
) -> None:
    with pytest.raises(ValueError):
        UsmUser("office", auth, auth_key, priv_key)
    with pytest.raises(ValueError):
        UsmUser("o" * 33)


def test_a_users_level_is_what_its_keys_allow() -> None:
    auth_only = UsmUser.from_ku("office", Auth.SHA1_96, KU, b"", ENGINE)
    assert [UsmUser("office").level, auth_only.level, user().level] == list(Level)


@pytest.mark.parametrize(
    ("boots", "time", "accepted"),
    [
        (5, 1000, True),
        (5, 1150, True),
        (5, 850, True),
        (5, 1151, False),
        (5, 849, False),
        (4, 1000, False),
        (6, 1000, False),
    ],
)
def test_the_authoritative_window_is_150_seconds_wide_each_way(
    boots: int, time: int, accepted: bool
) -> None:
    assert EngineTime(5, 1000).accepts(EngineTime(boots, time)) is accepted


def test_boots_at_their_end_accept_nothing() -> None:
    end = EngineTime(usm.MAX_INT, 1000)
    assert not end.accepts(end)
    assert not PeerClock().hear(end, 0.0)


def test_a_peers_clock_runs_on_and_never_goes_back() -> None:
    clock = PeerClock()
    assert clock.at(50.0) == EngineTime(0, 0)
    assert clock.hear(EngineTime(5, 1000), 0.0)
    assert clock.at(100.0) == EngineTime(5, 1100)
    assert clock.hear(EngineTime(5, 960), 100.0)  # old, but in the window
    assert clock.at(100.0) == EngineTime(5, 1100)
    assert not clock.hear(EngineTime(5, 949), 100.0)
    assert not clock.hear(EngineTime(4, 9000), 100.0)
    assert clock.hear(EngineTime(6, 3), 100.0)
    assert clock.at(101.0) == EngineTime(6, 4)
    assert not clock.hear(EngineTime(5, 1100), 100.0)


def test_security_parameters_of_impossible_sizes_are_refused() -> None:
    whole = usm.SecurityParameters(ENGINE, EngineTime(1, 2), "office", bytes(12), bytes(8))
    octets = usm.encode_security(whole)
    assert usm.decode_security(octets, 0, len(octets)) == (whole, len(octets) - 10 - 12)
    for broken in (
        whole._replace(engine_id=bytes(33)),
        whole._replace(stamp=EngineTime(-1, 0)),
        whole._replace(stamp=EngineTime(0, 2**31)),
        whole._replace(user="o" * 33),
        whole._replace(mac=bytes(65)),
    ):
        octets = usm.encode_security(broken)
        with pytest.raises(DecodeError):
            usm.decode_security(octets, 0, len(octets))


# NIST SP 800-38A, F.3.13 CFB128-AES128.Encrypt
NIST_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
NIST_IV = bytes(range(16))
NIST_PLAIN = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
NIST_SECRET = bytes.fromhex(
    "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b"
    "26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6"
)


@pytest.mark.parametrize("cipher", [aes.cipher(), aes.BlockCipher()], ids=["libcrypto", "by hand"])
def test_aes_gives_the_published_ciphertext_and_back(cipher: aes.Cipher) -> None:
    for size in (0, 1, 15, 16, 17, 63, 64):
        plain, secret = NIST_PLAIN[:size], NIST_SECRET[:size]
        assert cipher.encrypt(NIST_KEY, NIST_IV, plain) == secret
        assert cipher.decrypt(NIST_KEY, NIST_IV, secret) == plain
    for key, iv in ((NIST_KEY[:15], NIST_IV), (NIST_KEY, NIST_IV[:8])):
        with pytest.raises(ValueError, match="16 octets"):
            cipher.encrypt(key, iv, NIST_PLAIN)
        with pytest.raises(ValueError, match="16 octets"):
            cipher.decrypt(key, iv, NIST_PLAIN)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.binary())
def test_the_two_ciphers_agree(key: bytes, iv: bytes, plain: bytes) -> None:
    secret = aes.encrypt(key, iv, plain)
    assert aes.BlockCipher().encrypt(key, iv, plain) == secret
    assert aes.decrypt(key, iv, secret) == aes.BlockCipher().decrypt(key, iv, secret) == plain


def test_aes_comes_from_the_openssl_that_python_has_loaded() -> None:
    assert isinstance(aes.cipher(), aes.LibcryptoCipher)


def test_an_agents_codec_imports_nothing_of_third_parties() -> None:
    program = (
        "import sys; from tabuah.snmp import aes, client;"
        "aes.encrypt(bytes(16), bytes(16), b'x');"
        "print(*{name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"cryptography", "cffi", "pysnmp", "pyasn1", "click", "yaml"}


def test_a_machine_without_any_aes_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aes, "_libraries", lambda: iter(()))
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(TabuahError, match="install OpenSSL's libcrypto"):
        aes.cipher.__wrapped__()
