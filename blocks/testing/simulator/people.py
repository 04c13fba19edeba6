"""Users that obviously do not exist, rendered as pieces of JSON.

Telephone numbers are from the ranges that the North American numbering plan (555-0100 to 555-0199) and Ofcom
(07700 900000 to 900999) keep for fiction; IP addresses from RFC 5737 and RFC 3849 (documentation). Card numbers pass
Luhn's check and begin with 9999: ISO/IEC 7812 gives a first digit 9 to the country of the next three, and 999 is none.
National ids begin with ZZ, which ISO 3166 leaves to users.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

Choice = TypeVar("Choice")

_BEGINNINGS = (
    "Zab",
    "Vix",
    "Quo",
    "Trel",
    "Nym",
    "Bru",
    "Plo",
    "Skee",
    "Wum",
    "Jaf",
    "Gli",
    "Ördo",
    "Éla",
    "Kru",
    "Fyz",
    "Øl",
)
_ENDINGS = ("ox", "ix", "ula", "ent", "abo", "im", "ark", "eeb", "yll", "uffo", "anz", "itch")
_FAMILIES = (
    "Testmar",
    "Fauxwick",
    "Mockberg",
    "Sampleton",
    "Dummfeld",
    "Phonström",
    "Fictov",
    "Nullford",
    "Stubska",
    "Placehøld",
)
_STREETS = ("Example Road", "Sample Street", "Placeholder Lane", "Testgasse", "Rue Exemple", "Mockstraße")
_TOWNS = ("Mocktown", "Sampleby", "Nullstadt", "Fauxville", "Testham", "Dummyburg", "Exemplis")
_COUNTRIES = (("DE", "EUR"), ("FR", "EUR"), ("GB", "GBP"), ("IE", "EUR"), ("NL", "EUR"), ("US", "USD"))
_SYSTEMS = ("android 15", "android 16", "ios 18", "ios 19", "web")
_NETWORKS = ("mockcard", "testpay", "samplecard")
_DOCUMENTATION_NETS = ("192.0.2", "198.51.100", "203.0.113")
_PLAIN_LETTERS = str.maketrans("öéøß", "eeos")


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the partner, as JSON.

    Attributes:
      full: `"user":{...}` with all that is known.
      short: the same with id, name and e-mail only.
      devices: two times `,"device":{...}`.
      card: `,"card":{...}`.
      currency: of the account.
    """

    full: str
    short: str
    devices: tuple[str, str]
    card: str
    currency: str


class _Digits:
    """Small random numbers taken off one large one."""

    def __init__(self, text: str) -> None:
        self._rest = int.from_bytes(blake2b(text.encode(), digest_size=64).digest(), "big")

    def below(self, limit: int) -> int:
        self._rest, digit = divmod(self._rest, limit)
        return digit

    def pick(self, choices: Sequence[Choice]) -> Choice:
        return choices[self.below(len(choices))]


def person(seed: int, number: int) -> Person:
    """The user of a number: the same one for the same seed."""
    digits = _Digits(f"{seed}/user/{number}")
    given = digits.pick(_BEGINNINGS) + digits.pick(_ENDINGS)
    family = digits.pick(_FAMILIES)
    mailbox = f"{given}.{family}".lower().translate(_PLAIN_LETTERS)
    short = f'"user":{{"id":"u{number:08d}","name":"{given} {family}","email":"{mailbox}.{number}@example.com"'
    country, currency = digits.pick(_COUNTRIES)
    full = short + _phone(digits) + _national_id(digits) + _birth_date(digits) + _address(digits, country) + "}"
    return Person(full, short + "}", (_device(digits), _device(digits)), _card(digits), currency)


def _phone(digits: _Digits) -> str:
    kind = digits.below(10)
    if kind == 0:
        return ',"phone":null'
    if kind < 5:
        return f',"phone":"+447700900{digits.below(1000):03d}"'
    return f',"phone":"+1{201 + digits.below(700)}55501{digits.below(100):02d}"'


def _national_id(digits: _Digits) -> str:
    return f',"national_id":"ZZ{digits.below(10**9):09d}"' if digits.below(5) else ""


def _birth_date(digits: _Digits) -> str:
    date = f"{1940 + digits.below(68)}-{1 + digits.below(12):02d}-{1 + digits.below(28):02d}"
    return f',"birth_date":"{date}"' if digits.below(10) else ""


def _address(digits: _Digits, country: str) -> str:
    kind = digits.below(20)
    if kind == 0:
        return ',"address":null'
    if kind < 4:
        return ""
    street = f"{1 + digits.below(199)} {digits.pick(_STREETS)}"
    return (
        f',"address":{{"street":"{street}","city":"{digits.pick(_TOWNS)}",'
        f'"postcode":"{digits.below(100_000):05d}","country":"{country}"}}'
    )


def _device(digits: _Digits) -> str:
    system = digits.pick(_SYSTEMS)
    if digits.below(8):
        address = f"{digits.pick(_DOCUMENTATION_NETS)}.{1 + digits.below(254)}"
    else:
        address = f"2001:db8:{1 + digits.below(65535):x}::{1 + digits.below(65535):x}"
    return (
        f',"device":{{"id":"d{digits.below(2**32):08x}","os":"{system}","ip":"{address}",'
        f'"user_agent":"Pay/{4 + digits.below(3)}.{digits.below(10)} ({system})"}}'
    )


def _card(digits: _Digits) -> str:
    number = f"9999{digits.below(10**11):011d}"
    return f',"card":{{"number":"{number}{_check_digit(number)}","network":"{digits.pick(_NETWORKS)}"}}'


def _check_digit(number: str) -> int:
    """The digit that makes a number pass Luhn's check (ISO/IEC 7812-1, annex B)."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in number[::-2])
    return -(doubled + sum(int(digit) for digit in number[-2::-2])) % 10
