"""Text as people type it, made comparable: folding for search, keys for sorting."""

import unicodedata


def fold(text: str) -> str:
    """Lower case, no accents on Latin, Greek and Cyrillic letters, single spaces; other scripts keep their marks.

    Marks are dropped only where they are accents: in Sinhala, Thai or Arabic a combining mark is a vowel.
    """
    out: list[str] = []
    base = ""
    for char in unicodedata.normalize("NFKD", text.casefold()):
        if unicodedata.combining(char) and base and _is_european(base):
            continue
        out.append(char)
        if not unicodedata.combining(char):
            base = char
    return " ".join(unicodedata.normalize("NFC", "".join(out)).split())


def sort_key(name: str) -> str:
    """The key by which names are listed; at most 200 characters."""
    return fold(name)[:200]


def digits(text: str) -> str:
    """The decimal digits of a text in any script, as ASCII."""
    return "".join(str(unicodedata.decimal(char)) for char in text if unicodedata.decimal(char, None) is not None)


def _is_european(char: str) -> bool:
    return char < "\u0590"
