"""One entry of `devices`: a router or UPS, how it is polled and how it is entered."""

from __future__ import annotations

import re

from inventory import values
from inventory.fields import Fields
from inventory.model import Device, Login, Snmp, SnmpSecurity
from tabuah.cadence import SHORTEST_INTERVAL_S
from tabuah.measurement import Role

DEVICE_KEYS = ("name", "host", "platform", "interfaces", "role", "every", "snmp", "login")
_SNMP_KEYS = ("version", "port", "community", "user", "auth", "priv")
_LOGIN_KEYS = ("user", "key", "password", "enable", "jump", "port")
SECURITY = {"auth": ("sha1", "sha256"), "priv": ("aes128",)}
"""What is spoken of SNMPv3, by the key that says it."""
_DEVICE_ROLES = (Role.GATEWAY, Role.UPS, Role.OTHER)
_INTERFACE = re.compile(r"[^\s/]{1,64}")


def read_device(fields: Fields, name: str) -> Device:
    """Return the device of that name; notes what is wrong."""
    fields.need("host")
    role = fields.value("role", values.one_of(Role), Role.OTHER)
    if role not in _DEVICE_ROLES:
        roles = ", ".join(known.value for known in _DEVICE_ROLES)
        fields.scope.complain(
            fields.at("role"), f"role: '{role.value}' is a probe's; a device has one of: {roles}"
        )
    return Device(
        name=name,
        host=fields.value("host", values.host, ""),
        role=role,
        platform=fields.text("platform", values.token, ""),
        interfaces=fields.texts("interfaces", interface_name),
        every_s=fields.value("every", values.duration(SHORTEST_INTERVAL_S), 10.0),
        snmp=_snmp(fields),
        login=_login(fields),
    )


def _snmp(device: Fields) -> Snmp | None:
    fields = device.inner("snmp", _SNMP_KEYS)
    if fields is None or not fields.need("version", "3 or 2c"):
        return None
    version = fields.value("version", _version, None)
    if version is None:
        return None
    for key in ("user", "auth") if version == "3" else ("community",):
        fields.need(key)
    for key in ("community",) if version == "3" else ("user", "auth", "priv"):
        if key in fields:
            fields.scope.complain(fields.at(key), f"{key} has no meaning in version {version}")
    return Snmp(
        version=version,
        port=fields.value("port", values.whole(1, 65535), 161),
        community=fields.secret("community"),
        user=fields.text("user", values.some_text, ""),
        auth=snmp_security(fields, "auth", SECURITY["auth"]),
        priv=snmp_security(fields, "priv", SECURITY["priv"]),
    )


def _version(word: str) -> str:
    if word not in ("2c", "3"):
        raise ValueError("must be 3 or 2c; older SNMP is not spoken")
    return word


def snmp_security(snmp: Fields, key: str, protocols: tuple[str, ...]) -> SnmpSecurity | None:
    """Return one of SNMPv3's two keys; notes what is wrong."""
    fields = snmp.inner(key, ("protocol", "key"))
    if fields is None or not (fields.need("protocol", protocols[0]) and fields.need("key")):
        return None

    def known(word: str) -> str:
        if word not in protocols:
            raise ValueError(f"unknown protocol; use {' or '.join(protocols)}")
        return word

    protocol, where = fields.value("protocol", known, None), fields.secret("key")
    return None if protocol is None or where is None else SnmpSecurity(protocol, where)


def _login(device: Fields) -> Login | None:
    fields = device.inner("login", _LOGIN_KEYS)
    if fields is None or not fields.need("user"):
        return None
    return Login(
        user=fields.text("user", values.some_text, ""),
        key=fields.secret("key"),
        password=fields.secret("password"),
        enable=fields.secret("enable"),
        jump=fields.value("jump", _jump, ""),
        port=fields.value("port", values.whole(1, 65535), 22),
    )


def _jump(word: str) -> str:
    if not word:
        return word
    user, at, place = word.rpartition("@")
    values.host_or_endpoint(place)
    if at and not values.text(user):
        raise ValueError("has no user before the '@'")
    return word


def interface_name(word: str) -> str:
    """Return the name of a network interface, as the host or the device spells it."""
    if _INTERFACE.fullmatch(word) is None or not word.isprintable():
        raise ValueError("is no interface name; write it like eth0")
    return word
