"""The SNMP core without sockets: octets in, octets and decisions out, `now` as an argument.

From the bottom: `ber` and `pdu` (RFC 3416), `aes` and `usm` (RFC 3414, 3826, 7860), `message`
(RFC 3412), and the two ends: `client` asks and informs, `receiver` takes informs.
"""
