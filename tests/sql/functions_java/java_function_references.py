"""Naive forms of functions in Java and Scala, made of other people's implementations."""

import ipaddress
import unicodedata

_ACCENTS = ((0x300, 0x36F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))


def normalized(text: str) -> str:
    """text_normalize."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = (one for one in apart if not any(low <= ord(one) <= high for low, high in _ACCENTS))
    return unicodedata.normalize("NFKC", "".join(plain))


def network(ip: str, bits: int, bits6: int | None = None) -> str | None:
    """ip_network, but for zones and IPv4 within IPv6."""
    try:
        address = ipaddress.ip_address(ip.strip())
    except ValueError:
        return None
    wanted = bits6 if address.version == 6 and bits6 is not None else bits
    if wanted > address.max_prefixlen:
        return None
    return str(ipaddress.ip_network((address, wanted), strict=False))


def passes_luhn(text: str) -> bool:
    """luhn_check."""
    digits = [int(one) for one in reversed(text) if one in "0123456789"]
    if len(digits) < 2 or set(text) - set("0123456789 -"):
        return False
    return sum(digits[::2]) % 10 == -sum(sum(divmod(2 * one, 10)) for one in digits[1::2]) % 10
