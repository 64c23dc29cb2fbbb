"""Money: whole numbers of the currency's smallest unit, and how they are typed and told. Never a float, and never without its currency."""

import re
from decimal import Decimal

MOST = 10**11  # of the smallest unit: no treatment costs more
# At most so many digits as may well be typed: Python refuses to read some thousands of them, in words of its own.
_TYPED = re.compile(r"(?P<whole>[0-9]{1,3}(?:[,' \u00a0]?[0-9]{3}){0,5}|[0-9]{1,18})(?:\.(?P<part>[0-9]{1,18}))?")

# ISO 4217. How many digits the smallest unit is behind the point: two, but for these.
NO_DIGITS, THREE_DIGITS = (
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    "BHD IQD JOD KWD LYD OMR TND",
)
ALL = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC "
    "CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK "
    "JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR "
    "MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP "
    "STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG "
)
CURRENCIES = frozenset(ALL.split())


def digits(currency: str) -> int:
    """How many digits of the currency are behind the point."""
    return 0 if currency in NO_DIGITS.split() else 3 if currency in THREE_DIGITS.split() else 2


def read(typed: str, currency: str) -> int:
    """`1,250.5` of EUR: 125050. Raises ValueError with a sentence."""
    found = _TYPED.fullmatch(typed.strip())
    behind = digits(currency)
    if found is None:
        raise ValueError("Type an amount like 1,250.00." if behind else "Type an amount like 1,250.")
    part = found["part"] or ""
    if len(part) > behind:
        raise ValueError(f"{currency} has {behind or 'no'} digits behind the point.")
    amount = int(re.sub(r"[^0-9]", "", found["whole"]) + part.ljust(behind, "0"))
    if amount > MOST:
        raise ValueError("This is more than any treatment costs. Type it again.")
    return amount


def plain(amount: int, currency: str) -> str:
    """`1250.50`: as it is typed into a field."""
    return f"{Decimal(amount).scaleb(-digits(currency)):f}"


def money(amount: int, currency: str) -> str:
    """`EUR 1,250.50`."""
    return f"{currency}\u00a0{Decimal(amount).scaleb(-digits(currency)):,f}"
